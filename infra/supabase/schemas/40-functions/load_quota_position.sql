-- Purpose: all that a quota decision needs, and all that a quota report shows, read in one statement.
-- Parameters: for_organization, at (default: the database's present). Returns: no row for an unknown organization, else one; amounts are LLM tokens of the
--   current period as text; limit_tokens null = unlimited; state columns null or defaults where none was decided yet.
-- Invariant: the period is the one that holds `at` under the organization's schedule. Reads only.
create function public.load_quota_position(for_organization uuid, at timestamptz default now())
returns table (
  organization_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, limit_tokens text,
  policy jsonb, policy_version text, inputs_key text, used_tokens text, reserved_tokens text,
  state text, version text, revision text, reason text, decision_id uuid, state_period_start timestamptz,
  reduced_config jsonb, as_of timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, i.time_zone, i.period_start, i.period_end,
    i.limit_tokens::text, i.policy, i.policy_version::text, i.inputs_key, coalesce(t.used_tokens, 0)::text,
    tollgate.open_reserved(i.organization_id)::text,
    coalesce(s.state, 'active'), coalesce(s.version, 0)::text, s.revision::text, s.reason, s.decision_id, s.period_start,
    s.reduced_config, at
  from tollgate.quota_inputs_at(at) i
  left join tollgate.period_totals t
    on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  where i.organization_id = for_organization
$$;

revoke execute on function public.load_quota_position from public, anon, authenticated;
grant execute on function public.load_quota_position to tollgate_token_api, tollgate_quota_enforcer, service_role;
