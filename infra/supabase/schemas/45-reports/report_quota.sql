-- Purpose: where an organization stands in its period, and what its policy will do. Parameters: query = { organization_id }.
-- Returns: no row for an organization that the caller does not belong to, else one; amounts are LLM tokens as text;
--   limit_tokens is the limit without grants, null = unlimited; mode: enforce or observe; steps: see report_steps;
--   policy: the ladder as it is configured (null: the default one), for whoever may read the whole organization alone;
--   policy_version: of the own limit and ladder, as set_quota takes it back; '0': none;
--   manual_act: { act, until (null: until it is taken back) }, null: none, to the same;
--   user_default: { limit_tokens (text; null: none), policy (null: the default ladder), version (text, as set_user_default takes
--   it back; '0': never set) }, what holds for each user without an own limit, to the same;
--   fresh_at: when the newest usage was counted.
-- Security definer: limits and states are no rows that a tenant may read; members see their own organization's, super_admin
--   every one's, and nobody anything that GET /v1/organizations/{id}/quota would not show.
create function public.report_quota(query jsonb)
returns table (
  organization_id uuid, name text, plan_type text, time_zone text, period_start timestamptz, period_end timestamptz,
  limit_tokens text, granted_tokens text, used_tokens text, reserved_tokens text, cost_usd text, unpriced_events text,
  state text, reason text, decision_id uuid, mode text, steps jsonb, policy jsonb, policy_version text,
  manual_act jsonb, user_default jsonb, fresh_at timestamptz, as_of timestamptz)
language sql stable security definer set search_path = ''
as $$
  select p.organization_id, o.name, o.plan_type, p.time_zone, p.period_start, p.period_end, p.base_limit_tokens,
    p.granted_tokens, p.used_tokens, p.reserved_tokens, p.cost_usd,
    (p.unpriced_events::bigint + tollgate.newly_priced(p.organization_id, p.period_start))::text, p.state, p.reason, p.decision_id,
    p.mode, tollgate.report_steps(p.policy, p.limit_tokens::bigint, p.granted_tokens::bigint),
    case when tollgate.may_read_organization(p.organization_id) then p.policy end, p.policy_version,
    case when tollgate.may_read_organization(p.organization_id) and p.manual_act is not null
      then jsonb_build_object('act', p.manual_act -> 'act', 'until', p.manual_act -> 'until') end,
    case when tollgate.may_read_organization(p.organization_id)
      then jsonb_build_object('limit_tokens', f.max_tokens::text, 'policy', f.policy, 'version', coalesce(f.version, 0)::text) end,
    p.counted_at, p.as_of
  from public.load_quota_position((tollgate.unwrap(query) ->> 'organization_id')::uuid) p
  join tollgate.directory_organizations o on o.organization_id = p.organization_id
  left join tollgate.user_quota_defaults f on f.organization_id = p.organization_id
  where p.organization_id = (select tollgate.my_organization_id()) or (select tollgate.my_role()) = 'super_admin'
$$;

revoke execute on function public.report_quota from public, anon;
grant execute on function public.report_quota to authenticated;
