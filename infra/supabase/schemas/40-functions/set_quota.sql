-- Purpose: set an organization's own monthly limit, its ladder, or both; or let those of its config and plan hold again.
-- Parameters: change = { organization_id, limit (null: unlimited; absent: as it is), policy (absent: as it is),
--   period = { time_zone, anchor_day } (absent: as it is; from the next period on), mode (enforce | observe | null: the
--   installation's; absent: as it is), actor,
--   only_lower (true: refuse to raise: an organization's own admin), policy_version (the version that the change was made
--   from, '0' for none; absent: whichever), follow_plan? (true: own limit and ladder are dropped) }.
-- Returns: no row for an unknown organization, else one: changed, refusal (null where changed; only_lower: it would do more
--   than lower the limit; policy_version: somebody changed it meanwhile), limit_tokens, version (both as they are now).
-- Locks: the policy row. Invariant: the change wakes the enforcer by itself, because inputs_key no longer agrees.
create function public.set_quota(change jsonb) returns table (changed boolean, refusal text, limit_tokens text, version text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  wanted bigint := (asked ->> 'limit')::bigint;
  follows constant boolean := coalesce((asked ->> 'follow_plan')::boolean, false);
  held record;
begin
  perform pg_advisory_xact_lock(hashtextextended('tollgate.set_quota:' || organization, 0));
  select i.base_limit_tokens as limit_tokens, i.policy_version as version into held
  from tollgate.quota_inputs i where i.organization_id = organization;
  if not found then return; end if;
  if (asked ->> 'only_lower')::boolean and (not asked ? 'limit'
    or (wanted is null and held.limit_tokens is not null) or wanted > held.limit_tokens
    or asked ?| array['policy', 'period', 'mode']) then
    refusal := 'only_lower';
  elsif (asked ->> 'policy_version')::bigint <> held.version then
    refusal := 'policy_version';
  end if;
  if refusal is not null then
    changed := false; limit_tokens := held.limit_tokens::text; version := held.version::text;
    return next;
    return;
  end if;
  insert into tollgate.quota_policies as q (organization_id, max_tokens, sets_limit, policy, updated_by)
  values (organization, wanted, asked ? 'limit', asked -> 'policy', asked ->> 'actor')
  on conflict (organization_id) do update set
    max_tokens = case when excluded.sets_limit then excluded.max_tokens when not follows then q.max_tokens end,
    sets_limit = excluded.sets_limit or q.sets_limit and not follows,
    policy = coalesce(excluded.policy, case when not follows then q.policy end), version = q.version + 1,
    updated_by = excluded.updated_by, updated_at = now();
  select true, i.base_limit_tokens::text, i.policy_version::text into changed, limit_tokens, version
  from tollgate.quota_inputs i where i.organization_id = organization;
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
    jsonb_build_object('limit', limit_tokens::bigint, 'previous_limit', held.limit_tokens, 'policy', asked -> 'policy',
      'period', asked -> 'period', 'mode', asked -> 'mode') || case when follows then '{"follow_plan": true}' else '{}' end::jsonb);
  return next;
end
$$;

revoke execute on function public.set_quota from public, anon, authenticated;
grant execute on function public.set_quota to tollgate_token_api, service_role;
