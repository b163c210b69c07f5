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

-- What an organization's quota is decided from, beside its usage. limit_tokens null = unlimited; policy null = the default
-- ladder; inputs_key changes whenever limit, ladder or time zone do. Precedence: an own quota policy, then the
-- organization's config, then its plan, then unlimited. Read with the caller's rights.
create view tollgate.quota_inputs with (security_invoker = true) as
  select i.organization_id, i.time_zone, i.limit_tokens, i.policy, i.policy_version,
    md5(concat_ws('|', i.time_zone, coalesce(i.limit_tokens::text, 'unlimited'), coalesce(i.policy::text, 'default')))
      as inputs_key
  from (
    select o.organization_id, coalesce(s.time_zone, 'UTC') as time_zone, q.policy, coalesce(q.version, 0) as policy_version,
      case when q.organization_id is not null then q.max_tokens
        else nullif(coalesce(tollgate.stored_limit(o.librechat_config), tollgate.stored_limit(p.librechat_config)),
          'unlimited')::bigint end as limit_tokens
    from tollgate.directory_organizations o
    left join tollgate.organization_settings s on s.organization_id = o.organization_id
    left join tollgate.quota_policies q on q.organization_id = o.organization_id
    left join tollgate.plans p on p.plan_type = o.plan_type
  ) i;

grant select on tollgate.quota_inputs to tollgate_token_api, tollgate_quota_enforcer, service_role;
