-- Purpose: what holds for one organization, and whether that was decided from all that is ordered and set for it by now.
-- Parameters: for_organization. Returns: a row as of list_enforcement where it was ever decided upon, with settled and
--   deaf_ms (how long a gate that reads Postgres alone may go on with what it read before; 0: there is none). Reads only.
create function public.find_enforcement(for_organization uuid)
returns table (
  organization_id uuid, user_id uuid, state text, version text, revision text, reason text, decision_id uuid,
  period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text, settled boolean, deaf_ms integer)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, null::uuid, s.state, s.version::text, s.revision::text, s.reason, s.decision_id, s.period_end,
    s.lapses, s.reduced_config, c.epoch::text, s.inputs_key = i.inputs_key,
    (select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer
      from tollgate.deaf_gates g where g.leased_until > clock_timestamp())
  from tollgate.enforcement_states s
  join tollgate.quota_inputs i on i.organization_id = s.organization_id
  cross join tollgate.enforcement_control c
  where s.organization_id = for_organization
$$;

revoke execute on function public.find_enforcement from public, anon, authenticated;
grant execute on function public.find_enforcement to tollgate_token_api, service_role;
