-- Purpose: organizations of which a user with a limit, an own one or the organization's default for users, has used so much (or,
--   by a correction, so little) that a decision could change. Parameters: fresh (entries just added to usage_metrics).
-- Returns: a row an organization. Invariant: costs nothing where no limit of a user exists; who falls under a default and was
--   never looked at is looked at once. Reads only.
create function tollgate.find_limited_users(fresh tollgate.judged_event[]) returns table (organization_id uuid)
language sql stable security invoker set search_path = ''
as $$
  select distinct d.organization_id
  from (
    select distinct f.organization_id, f.user_id from unnest(fresh) f
    where exists (select from tollgate.user_quotas) or exists (select from tollgate.user_quota_defaults e where e.is_limiting)) d
  left join tollgate.user_quotas u on u.organization_id = d.organization_id and u.user_id = d.user_id
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0) as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where u.user_id is not null and r.organization_id = u.organization_id and r.user_id = u.user_id
      and r.date >= u.from_date and r.date < u.to_date) m
  where m.used_tokens >= u.evaluate_at or m.used_tokens < u.evaluate_below
    or m.cost_usd >= u.evaluate_at_usd or m.cost_usd < u.evaluate_below_usd
    or (u.user_id is null
      and exists (select from tollgate.user_quota_defaults f where f.organization_id = d.organization_id and f.is_limiting))
$$;

grant execute on function tollgate.find_limited_users to tollgate_usage_worker, service_role;
