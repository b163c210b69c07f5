-- Purpose: organizations of which a user with a limit of its own has used so much (or, by a correction, so little) that a
--   decision could change. Parameters: fresh (entries just added to usage_metrics). Returns: a row an organization.
-- Invariant: costs nothing where no limit of a user exists. Reads only.
create function tollgate.find_limited_users(fresh tollgate.judged_event[]) returns table (organization_id uuid)
language sql stable security invoker set search_path = ''
as $$
  select distinct u.organization_id
  from (
    select distinct f.organization_id, f.user_id from unnest(fresh) f where exists (select from tollgate.user_quotas)) f
  join tollgate.user_quotas u on u.organization_id = f.organization_id and u.user_id = f.user_id
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0) as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where r.organization_id = u.organization_id and r.user_id = u.user_id and r.date >= u.from_date and r.date < u.to_date) m
  where m.used_tokens >= u.evaluate_at or m.used_tokens < u.evaluate_below
    or m.cost_usd >= u.evaluate_at_usd or m.cost_usd < u.evaluate_below_usd
$$;

grant execute on function tollgate.find_limited_users to tollgate_usage_worker, service_role;
