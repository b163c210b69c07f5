-- Purpose: let an organization's days and periods follow another time zone or anchor day, from its next period on; at once
--   where nothing was counted yet. Parameters: for_organization, zone (IANA name), anchor (1 to 31), at (when it was asked
--   for). Returns: nothing.
-- Locks: the organization's schedules. Invariant: what was counted keeps its day and period. The first period of the new
--   schedule ends at its first boundary that is at least 15 days away: a change gives nobody two allowances within hours.
create function tollgate.change_schedule(
  for_organization uuid, zone text, anchor integer, at timestamptz default now()) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held tollgate.period_schedules;
  boundary timestamptz;
  first_end timestamptz;
begin
  perform from tollgate.period_schedules h where h.organization_id = for_organization order by h.valid_from for update;
  -- A change that has not begun yet is replaced.
  delete from tollgate.period_schedules h where h.organization_id = for_organization and h.valid_from > at;
  update tollgate.period_schedules h set valid_to = 'infinity'
  where h.organization_id = for_organization and h.valid_from <= at and h.valid_to > at and h.valid_to <> 'infinity';
  select h.* into held from tollgate.schedules_of(for_organization) h where h.valid_from <= at and at < h.valid_to;
  if held.time_zone = zone and held.anchor_day = anchor then return; end if;

  if not exists (select from tollgate.period_totals t where t.organization_id = for_organization) then
    delete from tollgate.period_schedules h where h.organization_id = for_organization;
    insert into tollgate.period_schedules (organization_id, time_zone, anchor_day) values (for_organization, zone, anchor);
    return;
  end if;

  boundary := tollgate.scheduled_end(at, held);
  first_end := tollgate.period_end(boundary, zone, anchor);
  if first_end < boundary + interval '15 days' then first_end := tollgate.period_end(first_end, zone, anchor); end if;
  held.valid_to := boundary;
  insert into tollgate.period_schedules values (held.*)
  on conflict (organization_id, valid_from) do update set valid_to = excluded.valid_to;
  insert into tollgate.period_schedules (organization_id, valid_from, time_zone, anchor_day, first_end)
  values (for_organization, boundary, zone, anchor, first_end);
end
$$;

-- Purpose: keep period_schedules in step with organization_settings, whoever changes them. A trigger.
create function tollgate.follow_settings() returns trigger
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform tollgate.change_schedule(old.organization_id, 'UTC', 1);
  elsif tg_op = 'INSERT' or (new.time_zone, new.period_anchor_day) is distinct from (old.time_zone, old.period_anchor_day) then
    perform tollgate.change_schedule(new.organization_id, new.time_zone, new.period_anchor_day);
  end if;
  return null;
end
$$;

create trigger follow_settings after insert or update or delete on tollgate.organization_settings
  for each row execute function tollgate.follow_settings();

grant execute on function tollgate.change_schedule, tollgate.follow_settings
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
