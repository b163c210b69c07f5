-- Purpose: start of the calendar month that holds `at`, in an organization's time zone.
-- Parameters: at (instant), time_zone (IANA name). Returns: instant.
-- Invariant: the session's own TimeZone has no part in it.
create function tollgate.period_start(at timestamptz, time_zone text) returns timestamptz
language sql stable parallel safe
return pg_catalog.date_trunc('month', at at time zone time_zone) at time zone time_zone;

-- Purpose: end of that month, which is the start of the next. Parameters, returns, invariant: as above.
create function tollgate.period_end(at timestamptz, time_zone text) returns timestamptz
language sql stable parallel safe
return (pg_catalog.date_trunc('month', at at time zone time_zone) + interval '1 month') at time zone time_zone;

grant execute on function tollgate.period_start, tollgate.period_end
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
