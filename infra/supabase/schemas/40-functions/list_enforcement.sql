-- Purpose: every enforcement state that a gate must know: the truth that Redis holds a copy of.
-- Parameters: none. Returns: a row an organization that was ever decided upon, and a row a user that was ever refused
--   anything (user_id null: the organization itself). Reads only.
create function public.list_enforcement()
returns table (
  organization_id uuid, user_id uuid, state text, version text, revision text, reason text, decision_id uuid,
  period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, null::uuid, s.state, s.version::text, s.revision::text, s.reason, s.decision_id, s.period_end, s.lapses,
    s.reduced_config, c.epoch::text
  from tollgate.enforcement_states s cross join tollgate.enforcement_control c
  union all
  select u.organization_id, u.user_id, u.state, u.version::text, u.revision::text, u.reason, u.decision_id, u.period_end, u.lapses,
    u.reduced_config, c.epoch::text
  from tollgate.user_enforcement_states u cross join tollgate.enforcement_control c
  where u.version > 0
$$;

-- Purpose: what holds for the whole installation. Parameters: none. Returns: one row: paused, mode, epoch, version_floor,
--   revision, decision_id, last_revision (the highest that was ever given out). Reads only.
create function public.load_enforcement_control()
returns table (
  paused boolean, mode text, epoch text, version_floor text, revision text, decision_id uuid, last_revision text)
language sql stable security invoker set search_path = ''
as $$
  select c.paused, c.mode, c.epoch::text, c.version_floor::text, c.revision::text, c.decision_id, q.last_value::text
  from tollgate.enforcement_control c cross join tollgate.enforcement_revision q
$$;

revoke execute on function public.list_enforcement, public.load_enforcement_control from public, anon, authenticated;
grant execute on function public.list_enforcement, public.load_enforcement_control
  to tollgate_token_api, tollgate_quota_enforcer, service_role;
