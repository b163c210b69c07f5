-- Purpose: give users on whom an organization's default falls a row of their own, which is due: who has used something in the
--   period, and where it is 0 every member. Parameters: for_organization, at (default: the database's present), max_rows (how many
--   users are looked at). Returns: one row: done (all are enrolled), more (call again at once; false where not done: later,
--   since ingestion under way would have to be waited for).
-- Locks: the default's row; for an instant the periods against ingestion, so that whoever records usage without having seen the
--   default has committed and is seen; then new rows of user_quotas, by user.
-- Invariant: repeating changes nothing. Who uses something from then on gets a row by it.
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
  done := held.is_limiting is not true;
  more := false;
  if not done and held.enrolled_upto is null then
    begin
      perform set_config('lock_timeout', '250ms', true); -- while this waits, what comes after it waits too
      perform pg_advisory_xact_lock(hashtext('tollgate.periods'));
      raise sqlstate 'TG002'; -- back to the beginning of the block, which gives the lock back
    exception
      when sqlstate 'TG002' then more := true;
      when lock_not_available then null;
    end;
  else
    more := not done;
  end if;
  if not more then return next; return; end if;

  select (p.period_start at time zone p.time_zone)::date into first_day from tollgate.organization_period(for_organization, at) p;
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
  done := cardinality(page) < max_rows;
  more := not done;
  insert into tollgate.user_quotas (organization_id, user_id, is_own, version, updated_by)
  select for_organization, p.user_id, false, 0, 'quota-enforcer' from unnest(page) p (user_id) order by p.user_id
  on conflict do nothing;
  update tollgate.user_quota_defaults f
  set is_enrolled = done, enrolled_upto = case when not done then page[max_rows] end
  where f.organization_id = for_organization;
  return next;
end
$$;

revoke execute on function public.enroll_users from public, anon, authenticated;
grant execute on function public.enroll_users to tollgate_quota_enforcer, service_role;
