-- Purpose: set an organization's own monthly limit, and its ladder if one is given.
-- Parameters: change = { organization_id, limit (null: unlimited), policy (absent: as it is),
--   period = { time_zone, anchor_day } (absent: as it is; from the next period on), mode (enforce | observe | null: the
--   installation's; absent: as it is), actor,
--   only_lower (true: refuse to raise: an organization's own admin) }.
-- Returns: no row for an unknown organization, else one: changed (false: it would raise the limit), limit_tokens, version.
-- Locks: the policy row. Invariant: the change wakes the enforcer by itself, because inputs_key no longer agrees.
create function public.set_quota(change jsonb) returns table (changed boolean, limit_tokens text, version text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  wanted bigint := (asked ->> 'limit')::bigint;
  held record;
begin
  perform pg_advisory_xact_lock(hashtextextended('tollgate.set_quota:' || organization, 0));
  select i.base_limit_tokens as limit_tokens into held from tollgate.quota_inputs i where i.organization_id = organization;
  if not found then return; end if;
  if (asked ->> 'only_lower')::boolean
    and ((wanted is null and held.limit_tokens is not null) or wanted > held.limit_tokens or asked ?| array['policy', 'period', 'mode']) then
    changed := false; limit_tokens := held.limit_tokens::text; version := null;
    return next;
    return;
  end if;
  insert into tollgate.quota_policies as q (organization_id, max_tokens, policy, updated_by)
  values (organization, wanted, asked -> 'policy', asked ->> 'actor')
  on conflict (organization_id) do update set
    max_tokens = excluded.max_tokens, policy = coalesce(excluded.policy, q.policy), version = q.version + 1,
    updated_by = excluded.updated_by, updated_at = now()
  returning true, q.max_tokens::text, q.version::text into changed, limit_tokens, version;
  if asked ? 'period' then
    insert into tollgate.organization_settings as s (organization_id, time_zone, period_anchor_day)
    values (organization, asked #>> '{period,time_zone}', (asked #>> '{period,anchor_day}')::integer)
    on conflict (organization_id) do update set
      time_zone = excluded.time_zone, period_anchor_day = excluded.period_anchor_day, updated_at = now();
  end if;
  if asked ? 'mode' then
    insert into tollgate.organization_settings as s (organization_id, enforcement_mode)
    values (organization, asked ->> 'mode')
    on conflict (organization_id) do update set enforcement_mode = excluded.enforcement_mode, updated_at = now();
  end if;
  perform tollgate.record_audit(asked ->> 'actor', 'quota.changed', 'organization:' || organization,
    jsonb_build_object('limit', wanted, 'previous_limit', held.limit_tokens, 'policy', asked -> 'policy',
      'period', asked -> 'period', 'mode', asked -> 'mode'));
  return next;
end
$$;

revoke execute on function public.set_quota from public, anon, authenticated;
grant execute on function public.set_quota to tollgate_token_api, service_role;
