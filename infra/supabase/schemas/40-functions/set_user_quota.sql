-- Purpose: set the limit of one user of an organization, and its ladder if one is given; or let the organization's default for
--   its users hold again.
-- Parameters: change = { organization_id, user_id, limit (null: none of its own), policy (absent: as it is; null:
--   that of the default holds), actor, follow_default? (true: limit and policy are dropped) }.
-- Returns: no row where the user does not belong to the organization, else one: limit_tokens, version.
-- Locks: the limit's row. Invariant: the change makes the row due, so that the enforcer finds it by itself. One that is new
--   stays due until those have ended who were recording usage and had not seen it (apply_user_enforcement).
create function public.set_user_quota(change jsonb) returns table (limit_tokens text, version text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  member uuid := (asked ->> 'user_id')::uuid;
  follows constant boolean := coalesce((asked ->> 'follow_default')::boolean, false);
begin
  if tollgate.membership_fault(organization, member, true) is not null then return; end if;
  insert into tollgate.user_quotas as q (organization_id, user_id, is_own, is_settled, max_tokens, policy, updated_by)
  values (organization, member, not follows, false, (asked ->> 'limit')::bigint, nullif(asked -> 'policy', 'null'), asked ->> 'actor')
  on conflict (organization_id, user_id) do update set
    is_own = excluded.is_own, max_tokens = excluded.max_tokens,
    policy = case when asked ? 'policy' then excluded.policy when not follows then q.policy end, version = q.version + 1,
    updated_by = excluded.updated_by, updated_at = now()
  returning q.max_tokens::text, q.version::text into limit_tokens, version;
  perform tollgate.record_audit(asked ->> 'actor', 'user_quota.changed', 'user:' || member,
    jsonb_build_object('limit', asked -> 'limit', 'policy', asked -> 'policy', 'follow_default', follows), organization);
  return next;
end
$$;

-- Purpose: limit, usage, holds and state of one user of an organization. Parameters: for_organization, for_user.
-- Returns: no row where the user does not belong to it, else one; limit_tokens null = none beside the organization's; limit_from
--   = user | default (of the organization, for its users) | null: nobody set one. Reads only.
create function public.load_user_quota(for_organization uuid, for_user uuid)
returns table (
  user_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, limit_tokens text, limit_from text,
  policy jsonb, used_tokens text, reserved_tokens text, cost_usd text, state text, version text, reason text, decision_id uuid,
  as_of timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select for_user, i.time_zone, i.period_start, i.period_end, case when q.is_own then q.max_tokens else f.max_tokens end::text,
    case when q.is_own then 'user' when f.is_limiting then 'default' end, coalesce(q.policy, f.policy), m.used_tokens::text,
    coalesce((
      select sum(h.total_tokens) from tollgate.reservations h
      where h.organization_id = i.organization_id and h.user_id = for_user and h.state in ('held', 'committing')
        and not tollgate.is_due_hold(h.state, h.expires_at)), 0)::text,
    m.cost_usd::text, tollgate.state_at(s.state, s.lapses, s.period_end), coalesce(s.version, 0)::text,
    case when not e.is_over then s.reason end, case when not e.is_over then s.decision_id end, now()
  from tollgate.quota_inputs i
  left join tollgate.user_quotas q on q.organization_id = i.organization_id and q.user_id = for_user
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = for_user
  cross join lateral (select tollgate.is_lapsed(s.lapses, s.period_end) as is_over) e
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where r.organization_id = i.organization_id and r.user_id = for_user
      and r.date >= (i.period_start at time zone i.time_zone)::date and r.date < (i.period_end at time zone i.time_zone)::date) m
  where i.organization_id = for_organization and tollgate.membership_fault(for_organization, for_user, true) is null
$$;

revoke execute on function public.set_user_quota, public.load_user_quota from public, anon, authenticated;
grant execute on function public.set_user_quota, public.load_user_quota to tollgate_token_api, service_role;
