-- Purpose: what holds for one user, and whether that was decided from all that is ordered and set by now.
-- Parameters: for_organization, for_user. Returns: as find_enforcement, where the user was ever decided upon; settled is false
--   as long as the next evaluation finds other inputs than the last one. Reads only.
create function public.find_user_enforcement(for_organization uuid, for_user uuid)
returns table (
  organization_id uuid, user_id uuid, state text, version text, revision text, reason text, decision_id uuid,
  period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text, settled boolean, deaf_ms integer)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, s.user_id, s.state, s.version::text, s.revision::text, s.reason, s.decision_id, s.period_end,
    s.lapses, s.reduced_config, c.epoch::text,
    s.inputs_key = tollgate.user_inputs_key(i.period_end, q.version,
      tollgate.shared_user_key(i.time_zone, i.reduced_configs, i.mode, f.version), v.decision_id::text),
    (select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer
      from tollgate.deaf_gates g where g.leased_until > clock_timestamp())
  from tollgate.user_enforcement_states s
  join tollgate.quota_inputs i on i.organization_id = s.organization_id
  left join tollgate.user_quota_defaults f on f.organization_id = s.organization_id
  left join tollgate.user_quotas q on q.organization_id = s.organization_id and q.user_id = s.user_id
  left join tollgate.user_enforcement_overrides v
    on v.organization_id = s.organization_id and v.user_id = s.user_id and (v.until is null or v.until > now())
  cross join tollgate.enforcement_control c
  where s.organization_id = for_organization and s.user_id = for_user
$$;

revoke execute on function public.find_user_enforcement from public, anon, authenticated;
grant execute on function public.find_user_enforcement to tollgate_token_api, service_role;
