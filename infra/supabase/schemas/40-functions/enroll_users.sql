-- Purpose: give users on whom an organization's default falls a row of their own, which is due: who has used something in the
--   period, and where it is 0 every member. Parameters: for_organization, at (default: the database's present), max_rows (how many
--   users are looked at). Returns: one row: done (all are enrolled), more (call again at once; false where not done: later,
--   once those have committed who were recording usage when this began).
-- Locks: the default's row, then new rows of user_quotas, by user. Ingestion is waited for and never held up.
-- Invariant: repeating changes nothing. Whoever began to record usage after the default was committed enrolls its users by
--   itself; whoever began before has committed by the time the first page is read.
create function public.enroll_users(for_organization uuid, at timestamptz default now(), max_rows integer default 1000)
returns table (done boolean, more boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held tollgate.user_quota_defaults;
  first_day date;
  page uuid[];
begin
  select f.* into held from tollgate.user_quota_defaults f where f.organization_id = for_organization for update;
  done := not coalesce(tollgate.must_enroll(held), false);
  more := false;
  if done then return next; return; end if;
  if held.waits_for is distinct from '{}' then
    held.waits_for := tollgate.still_recording(held.waits_for);
    update tollgate.user_quota_defaults f set waits_for = held.waits_for where f.organization_id = for_organization;
    if held.waits_for <> '{}' then return next; return; end if;
  end if;

  select (p.period_start at time zone p.time_zone)::date into first_day from tollgate.organization_period(for_organization, at) p;
  if held.is_enrolled then -- but for members who have joined, where the default is 0
    page := array(
      select m.user_id from tollgate.directory_members m
      where m.organization_id = for_organization and ( -- no join: see must_enroll
        select q.user_id from tollgate.user_quotas q where q.organization_id = m.organization_id and q.user_id = m.user_id) is null
      order by m.user_id limit max_rows);
  else
    page := array(
      select n.user_id from (
        (select distinct r.user_id from public.usage_metrics r
          where r.organization_id = for_organization and r.date >= first_day
            and (held.enrolled_upto is null or r.user_id > held.enrolled_upto)
          order by r.user_id limit max_rows)
        union
        (select m.user_id from tollgate.directory_members m
          where held.max_tokens = 0 and m.organization_id = for_organization
            and (held.enrolled_upto is null or m.user_id > held.enrolled_upto)
          order by m.user_id limit max_rows)) n
      order by n.user_id limit max_rows);
  end if;
  done := cardinality(page) < max_rows;
  more := not done;
  insert into tollgate.user_quotas (organization_id, user_id, is_own, version, updated_by)
  select for_organization, p.user_id, false, 0, 'quota-enforcer' from unnest(page) p (user_id) order by p.user_id
  on conflict do nothing;
  if not held.is_enrolled then
    update tollgate.user_quota_defaults f
    set is_enrolled = done, enrolled_upto = case when not done then page[max_rows] end
    where f.organization_id = for_organization;
  end if;
  return next;
end
$$;

revoke execute on function public.enroll_users from public, anon, authenticated;
grant execute on function public.enroll_users to tollgate_quota_enforcer, service_role;
