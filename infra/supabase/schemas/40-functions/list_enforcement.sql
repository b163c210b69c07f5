-- Purpose: every enforcement state that a gate must know: the truth that Redis holds a copy of.
-- Parameters: none. Returns: a row an organization that was ever decided upon. Reads only.
create function public.list_enforcement()
returns table (
  organization_id uuid, state text, version text, revision text, reason text, decision_id uuid, period_end timestamptz,
  reduced_config jsonb)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, s.state, s.version::text, s.revision::text, s.reason, s.decision_id, s.period_end, s.reduced_config
  from tollgate.enforcement_states s
$$;

revoke execute on function public.list_enforcement from public, anon, authenticated;
grant execute on function public.list_enforcement to tollgate_token_api, tollgate_quota_enforcer, service_role;
