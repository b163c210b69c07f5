-- Purpose: start of an organization's period that holds `at`, under the schedule that is in force then.
-- Parameters: at (instant), schedule (its row with valid_from <= at < valid_to; null: UTC, calendar months).
-- Returns: instant. Invariant: periods of one organization neither overlap nor leave a gap, whatever was changed when.
create function tollgate.scheduled_start(at timestamptz, schedule tollgate.period_schedules) returns timestamptz
language sql stable parallel safe
return case
  when (schedule).valid_from is null then date_trunc('month', at, 'UTC')
  when at < (schedule).first_end then (schedule).valid_from
  else tollgate.period_start(at, (schedule).time_zone, (schedule).anchor_day)
end;

-- Purpose: end of that period, which is the start of the next. Parameters, returns, invariant: as above.
create function tollgate.scheduled_end(at timestamptz, schedule tollgate.period_schedules) returns timestamptz
language sql stable parallel safe
return case
  when (schedule).valid_from is null then date_add(date_trunc('month', at, 'UTC'), interval '1 month', 'UTC')
  when at < (schedule).first_end then (schedule).first_end
  else tollgate.period_end(at, (schedule).time_zone, (schedule).anchor_day)
end;

grant execute on function tollgate.scheduled_start, tollgate.scheduled_end
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
