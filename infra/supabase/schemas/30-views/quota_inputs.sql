-- Purpose: the monthly limit that a stored librechat_config states. Parameters: config (may be null or malformed).
-- Returns: 'unlimited', a whole number of LLM tokens as text, or null where the config does not say.
-- Invariant: a malformed value never becomes a limit; the next source is asked.
create function tollgate.stored_limit(config jsonb) returns text
language sql immutable parallel safe
return case
  when jsonb_typeof(config) <> 'object' or not config ? 'max_tokens' then null
  when jsonb_typeof(config -> 'max_tokens') = 'null' then 'unlimited'
  when config ->> 'max_tokens' ~ '^\d{1,15}$' then config ->> 'max_tokens'
end;

grant execute on function tollgate.stored_limit to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- Purpose: what every organization's quota is decided from at an instant, beside its usage.
-- Parameters: at. Returns: a row an organization; limit_tokens null = unlimited; policy null = the default ladder; inputs_key
--   changes whenever limit, ladder or schedule do. Precedence: an own quota policy, then the organization's config, then its
--   plan, then unlimited. Reads only, with the caller's rights; without `set`, so that it is inlined.
create function tollgate.quota_inputs_at(at timestamptz)
returns table (
  organization_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, limit_tokens bigint, policy jsonb,
  policy_version bigint, inputs_key text)
language sql stable parallel safe
as $$
  select i.organization_id, i.time_zone, i.period_start, i.period_end, i.limit_tokens, i.policy, i.policy_version,
    md5(concat_ws('|', extract(epoch from i.period_end), i.time_zone, coalesce(i.limit_tokens::text, 'unlimited'),
      coalesce(i.policy::text, 'default')))
  from (
    select o.organization_id, coalesce(h.time_zone, 'UTC') as time_zone, tollgate.scheduled_start(at, h) as period_start,
      tollgate.scheduled_end(at, h) as period_end, q.policy, coalesce(q.version, 0) as policy_version,
      case when q.organization_id is not null then q.max_tokens
        else nullif(coalesce(tollgate.stored_limit(o.librechat_config), tollgate.stored_limit(p.librechat_config)),
          'unlimited')::bigint end as limit_tokens
    from tollgate.directory_organizations o
    left join tollgate.period_schedules h
      on h.organization_id = o.organization_id and h.valid_from <= at and at < h.valid_to
    left join tollgate.quota_policies q on q.organization_id = o.organization_id
    left join tollgate.plans p on p.plan_type = o.plan_type
  ) i
$$;

-- The same at present.
create view tollgate.quota_inputs with (security_invoker = true) as select * from tollgate.quota_inputs_at(now());

grant execute on function tollgate.quota_inputs_at to tollgate_token_api, tollgate_quota_enforcer, service_role;
grant select on tollgate.quota_inputs to tollgate_token_api, tollgate_quota_enforcer, service_role;
