-- Purpose: the users whose own limit must be looked at. Parameters: at, only_organization (null: all).
-- Returns: a row a user: organization_id, user_id.
-- Invariant: who needs no evaluation is not listed. Reads only, with the caller's rights.
create function tollgate.list_due_users(at timestamptz, only_organization uuid default null)
returns table (organization_id uuid, user_id uuid)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, i.user_id
  from tollgate.user_inputs_at(at) i
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = i.user_id
  where (only_organization is null or i.organization_id = only_organization)
    and (i.is_due or s.period_end <= at or s.due_at <= at or s.inputs_key <> i.inputs_key
      or (s.user_id is null and (i.limit_tokens = 0 or i.manual_act is not null)))
$$;

-- Purpose: all that decisions on the users of an organization need whose limit must be looked at.
-- Parameters: for_organization, at (default: the database's present). Returns: a row a user, by id; as load_quota_position.
-- Reads only.
create function public.load_user_positions(for_organization uuid, at timestamptz default now())
returns table (
  organization_id uuid, user_id uuid, period_start timestamptz, period_end timestamptz, limit_tokens text, policy jsonb,
  policy_version text, reduced_configs jsonb, mode text, manual_act jsonb, inputs_key text, used_tokens text, cost_usd text, state text,
  version text, revision text, reached jsonb, from_date text, to_date text, as_of timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, i.user_id, i.period_start, i.period_end, i.limit_tokens::text, i.policy, i.policy_version::text,
    i.reduced_configs, i.mode, i.manual_act, i.inputs_key, i.used_tokens::text, i.cost_usd::text, coalesce(s.state, 'active'),
    coalesce(s.version, 0)::text, s.revision::text, coalesce(s.reached, '{}'), i.from_date::text, i.to_date::text, at
  from tollgate.user_inputs_at(at) i
  join tollgate.list_due_users(at, for_organization) d on d.organization_id = i.organization_id and d.user_id = i.user_id
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = i.user_id
  where i.organization_id = for_organization
  order by i.user_id
$$;

revoke execute on function public.load_user_positions from public, anon, authenticated;
grant execute on function tollgate.list_due_users, public.load_user_positions to tollgate_quota_enforcer, service_role;
