-- Purpose: when and why a chat session is over that nobody has ended. Parameters: of_organization, of_user, active_at (its
--   last activity), idle_for. Returns: one row (at, reason): the first of: its user has no login left (reason of the login's
--   end), its organization was revoked (organization_revoked), nothing happened for idle_for (idle). Reads only.
-- Invariant: follows from what is on record alone, not from when it is asked; a login that merely ran out ends nothing.
create function tollgate.session_closing(of_organization uuid, of_user uuid, active_at timestamptz, idle_for interval)
returns table (at timestamptz, reason text)
language sql stable security invoker set search_path = ''
as $$
  select c.at, c.reason
  from (
    select active_at + idle_for as at, 'idle' as reason, 3 as rank
    union all
    select lower(r), 'organization_revoked', 1
    from unnest(tollgate.revoked_times(of_organization)) r where lower(r) >= active_at
    union all
    select l.ended_at, coalesce(l.end_reason, 'logout'), 2
    from tollgate.login_sessions l
    where l.organization_id = of_organization and l.user_id = of_user and l.ended_at >= active_at
      and l.end_reason is distinct from 'expired'
      and not exists (
        select from tollgate.login_sessions o
        where o.organization_id = of_organization and o.user_id = of_user and o.id <> l.id
          and o.started_at <= l.ended_at and coalesce(o.ended_at, o.expires_at, 'infinity') > l.ended_at)
  ) c
  order by c.at, c.rank
  limit 1
$$;

grant execute on function tollgate.session_closing to tollgate_usage_worker, service_role;
