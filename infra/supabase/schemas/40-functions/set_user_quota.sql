-- Purpose: set the limit of one user of an organization, and its ladder if one is given.
-- Parameters: change = { organization_id, user_id, limit (null: none of its own), policy (absent: as it is), actor }.
-- Returns: no row where the user does not belong to the organization, else one: limit_tokens, version.
-- Locks: the limit's row. Invariant: the change wakes the enforcer by itself, because inputs_key no longer agrees.
create function public.set_user_quota(change jsonb) returns table (limit_tokens text, version text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  member uuid := (asked ->> 'user_id')::uuid;
begin
  if tollgate.membership_fault(organization, member, true) is not null then return; end if;
  insert into tollgate.user_quotas as q (organization_id, user_id, max_tokens, policy, updated_by)
  values (organization, member, (asked ->> 'limit')::bigint, asked -> 'policy', asked ->> 'actor')
  on conflict (organization_id, user_id) do update set
    max_tokens = excluded.max_tokens, policy = coalesce(excluded.policy, q.policy), version = q.version + 1,
    updated_by = excluded.updated_by, updated_at = now()
  returning q.max_tokens::text, q.version::text into limit_tokens, version;
  perform tollgate.record_audit(asked ->> 'actor', 'user_quota.changed', 'user:' || member,
    jsonb_build_object('limit', asked -> 'limit', 'policy', asked -> 'policy'), organization);
  return next;
end
$$;

-- Purpose: limit, usage and state of one user of an organization. Parameters: for_organization, for_user.
-- Returns: no row where the user does not belong to it, else one; limit_tokens null = no limit of its own. Reads only.
create function public.load_user_quota(for_organization uuid, for_user uuid)
returns table (
  user_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, limit_tokens text, policy jsonb,
  used_tokens text, cost_usd text, state text, version text, reason text, decision_id uuid, as_of timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select for_user, i.time_zone, i.period_start, i.period_end, q.max_tokens::text, q.policy, m.used_tokens::text, m.cost_usd::text,
    coalesce(s.state, 'active'), coalesce(s.version, 0)::text, s.reason, s.decision_id, now()
  from tollgate.quota_inputs i
  left join tollgate.user_quotas q on q.organization_id = i.organization_id and q.user_id = for_user
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = for_user
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where r.organization_id = i.organization_id and r.user_id = for_user
      and r.date >= (i.period_start at time zone i.time_zone)::date and r.date < (i.period_end at time zone i.time_zone)::date) m
  where i.organization_id = for_organization and tollgate.membership_fault(for_organization, for_user, true) is null
$$;

revoke execute on function public.set_user_quota, public.load_user_quota from public, anon, authenticated;
grant execute on function public.set_user_quota, public.load_user_quota to tollgate_token_api, service_role;
