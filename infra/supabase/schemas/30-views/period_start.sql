-- Purpose: the instant at which a calendar month's period opens: local midnight of the anchor day, or of the month's last
--   day where the month is shorter. Parameters: month (local midnight of its first day), time_zone (IANA name),
--   anchor_day (1 to 31). Returns: instant; a midnight that daylight saving skips opens at the skip.
create function tollgate.period_opening(month timestamp, time_zone text, anchor_day integer) returns timestamptz
language sql stable parallel safe
return (month + (least(anchor_day, extract(day from month + interval '1 month' - interval '1 day')::integer) - 1)
  * interval '1 day') at time zone time_zone;

-- Purpose: start of the period that holds `at`, in an organization's time zone.
-- Parameters: at (instant), time_zone (IANA name), anchor_day (1: the calendar month). Returns: instant.
-- Invariant: period_start(at) <= at < period_end(at), compared as instants: a repeated local hour never falls between two
--   periods. The session's own TimeZone has no part in it.
create function tollgate.period_start(at timestamptz, time_zone text, anchor_day integer default 1) returns timestamptz
language sql stable parallel safe
return case
  when at >= tollgate.period_opening(pg_catalog.date_trunc('month', at at time zone time_zone), time_zone, anchor_day)
    then tollgate.period_opening(pg_catalog.date_trunc('month', at at time zone time_zone), time_zone, anchor_day)
  else tollgate.period_opening(
    pg_catalog.date_trunc('month', at at time zone time_zone) - interval '1 month', time_zone, anchor_day)
end;

-- Purpose: end of that period, which is the start of the next. Parameters, returns, invariant: as above.
create function tollgate.period_end(at timestamptz, time_zone text, anchor_day integer default 1) returns timestamptz
language sql stable parallel safe
return case
  when at < tollgate.period_opening(pg_catalog.date_trunc('month', at at time zone time_zone), time_zone, anchor_day)
    then tollgate.period_opening(pg_catalog.date_trunc('month', at at time zone time_zone), time_zone, anchor_day)
  else tollgate.period_opening(
    pg_catalog.date_trunc('month', at at time zone time_zone) + interval '1 month', time_zone, anchor_day)
end;

grant execute on function tollgate.period_opening, tollgate.period_start, tollgate.period_end
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
