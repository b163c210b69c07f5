-- Purpose: the schedules of an organization's days and periods. Parameters: for_organization.
-- Returns: its rows of period_schedules, or one that says UTC and calendar months where it has none. Reads only.
-- Invariant: for any instant exactly one of them holds (valid_from <= at < valid_to).
create function tollgate.schedules_of(for_organization uuid) returns setof tollgate.period_schedules
language sql stable security invoker set search_path = ''
as $$
  select h.* from tollgate.period_schedules h where h.organization_id = for_organization
  union all
  select for_organization, '-infinity', 'infinity', 'UTC', 1, '-infinity'
  where not exists (select from tollgate.period_schedules h where h.organization_id = for_organization)
$$;

-- Purpose: the period of an organization that holds `at`. Parameters: for_organization, at.
-- Returns: one row: time_zone, anchor_day, period_start, period_end. Reads only.
create function tollgate.organization_period(for_organization uuid, at timestamptz default now())
returns table (time_zone text, anchor_day integer, period_start timestamptz, period_end timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select h.time_zone, h.anchor_day, tollgate.scheduled_start(at, h), tollgate.scheduled_end(at, h)
  from tollgate.schedules_of(for_organization) h
  where h.valid_from <= at and at < h.valid_to
$$;

grant execute on function tollgate.schedules_of, tollgate.organization_period
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
