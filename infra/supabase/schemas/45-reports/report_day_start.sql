-- Purpose: the instant at which a day begins for an organization, in its present time zone.
-- Parameters: organization, day. Returns: instant.
-- Security definer: a tenant may not read settings, and learns nothing but a time zone's offset.
create function tollgate.report_day_start(organization uuid, day date) returns timestamptz
language sql stable security definer set search_path = ''
as $$
  select day::timestamp at time zone coalesce((
    select h.time_zone from tollgate.period_schedules h
    where h.organization_id = organization and h.valid_from <= now() and now() < h.valid_to), 'UTC')
$$;

grant execute on function tollgate.report_day_start to authenticated, service_role, tollgate_token_api;
