-- Purpose: whether what a user has used is beyond the outlook of the last decision, or in a period after it: what makes a decision
--   change. Parameters: held. Returns: boolean. Reads only, with the caller's rights.
create function tollgate.is_beyond_outlook(held tollgate.user_quotas) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select coalesce(m.used_tokens >= held.evaluate_at, false) or coalesce(m.used_tokens < held.evaluate_below, false)
    or coalesce(m.cost_usd >= held.evaluate_at_usd, false) or coalesce(m.cost_usd < held.evaluate_below_usd, false) or m.is_later
  from (
    select coalesce(sum(r.tokens_used) filter (where r.date < held.to_date), 0) as used_tokens,
      coalesce(sum(r.cost_usd) filter (where r.date < held.to_date), 0) as cost_usd,
      coalesce(bool_or(r.date >= held.to_date), false) as is_later
    from public.usage_metrics r
    where r.organization_id = held.organization_id and r.user_id = held.user_id and r.date >= held.from_date) m
$$;

-- Purpose: whether anybody has set a limit of users. Parameters: none. Returns: boolean. Reads only, with the caller's rights.
create function tollgate.limits_users() returns boolean
language sql stable security invoker set search_path = ''
as $$
  select exists (select from tollgate.user_quotas)
    or exists (select from tollgate.user_quota_defaults f where f.is_limiting)
$$;

-- Purpose: have users with a limit, an own one or the organization's default for users, looked at whose usage has just changed.
-- Parameters: organizations, users (pairs, in step; any more than once), whatever_is_used (true: also who is not beyond the outlook).
-- Returns: organizations of which a user became due. Called by whoever writes to usage_metrics, after that and in its transaction.
-- Locks: rows of user_quotas, in the order of their key. Invariant: costs nothing where no limit of a user exists. The rows are
--   locked before usage is summed by a statement of its own: whoever lowers the outlook, or adds to the same user's usage,
--   waits and then sees this, or was waited for and is seen. So nobody passes a limit between two who each saw half of it.
create function tollgate.mark_due_users(organizations uuid[], users uuid[], whatever_is_used boolean default false) returns uuid[]
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held tollgate.user_quotas[];
  met uuid[];
  due uuid[];
begin
  if not tollgate.limits_users() then return '{}'; end if;
  with inserted as (
    -- Who falls under a default and was never looked at. Before the rows are locked: one that somebody else is inserting is waited
    -- for, and then locked and judged like any other.
    -- While some may still be recording who have not seen the default: another day of the same user would pass unseen.
    insert into tollgate.user_quotas (organization_id, user_id, is_own, is_settled, version, updated_by)
    select distinct u.organization_id, u.user_id, false, f.waits_for is not distinct from '{}', 0, 'usage'
    from unnest(organizations, users) u (organization_id, user_id)
    join tollgate.user_quota_defaults f on f.organization_id = u.organization_id and f.is_limiting
    where not exists (
      select from tollgate.user_quotas q where q.organization_id = u.organization_id and q.user_id = u.user_id)
    order by 1, 2
    on conflict do nothing
    returning organization_id
  )
  select array(select i.organization_id from inserted i) into met;
  held := array(
    select q from tollgate.user_quotas q
    where (q.organization_id, q.user_id) in (select u.organization_id, u.user_id from unnest(organizations, users) u (organization_id, user_id))
    order by q.organization_id, q.user_id for no key update);
  with beyond as (
    update tollgate.user_quotas q set changes = q.changes + 1
    from unnest(held) h
    where q.organization_id = h.organization_id and q.user_id = h.user_id
      and (whatever_is_used or tollgate.is_beyond_outlook(q))
    returning q.organization_id
  )
  select array(select b.organization_id from beyond b union select unnest(met)) into due;
  return due;
end
$$;

grant execute on function tollgate.is_beyond_outlook, tollgate.limits_users, tollgate.mark_due_users
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
