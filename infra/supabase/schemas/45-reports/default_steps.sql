-- Purpose: the ladder that holds where nobody chose, for reports. Parameters: none. Returns: jsonb, as DEFAULT_QUOTA_POLICY
--   of packages/shared/src/contracts/quota-policy.ts says; a test compares the two.
create function tollgate.default_steps() returns jsonb
language sql immutable parallel safe
return '[{"at_percent": 50, "state": "warned"}, {"at_percent": 80, "state": "warned"}, {"at_percent": 90, "state": "warned"},
  {"at_percent": 100, "state": "downgraded"}, {"at_percent": 120, "state": "revoked"}]'::jsonb;

grant execute on function tollgate.default_steps to tollgate_token_api, service_role;

-- Purpose: the steps of a ladder as amounts, those in LLM tokens first, lowest first. Parameters: policy (null: the default),
--   limit_tokens (with grants; null: unlimited), granted_tokens (absolute steps lie that much higher). Returns: jsonb array of
--   { at_tokens, at_usd (text; one of them null), state, mode, grace_seconds }. Invariant: the steps that the enforcer looks at
--   (cutRungs): a limit that is null lifts every step of its measure.
create function tollgate.report_steps(policy jsonb, limit_tokens bigint, granted_tokens bigint) returns jsonb
language sql immutable parallel safe
return (
  select coalesce(jsonb_agg(jsonb_build_object('at_tokens', s.at_tokens::text, 'at_usd', s.at_usd::text, 'state', s.state,
      'mode', s.mode, 'grace_seconds', s.grace_seconds)
    order by s.at_tokens, s.at_usd, array_position(array['warned', 'downgraded', 'revoked'], s.state)), '[]')
  from (
    select step ->> 'state' as state, coalesce(step ->> 'mode', 'hard') as mode,
      coalesce((step ->> 'grace_seconds')::integer, 0) as grace_seconds,
      case when measure = 'tokens' and limit_tokens is not null
        then coalesce((step ->> 'at_tokens')::bigint + granted_tokens,
          ceil((step ->> 'at_percent')::numeric * limit_tokens / 100)::bigint) end as at_tokens,
      case when measure = 'usd' and jsonb_typeof(policy -> 'max_cost_usd') is distinct from 'null'
        then trim_scale(coalesce((step ->> 'at_usd')::numeric,
          ceil((step ->> 'at_percent')::numeric * (policy ->> 'max_cost_usd')::numeric * 1e10) / 1e12)) end as at_usd
    from jsonb_array_elements(coalesce(policy -> 'steps', tollgate.default_steps())) step
    cross join unnest(array['tokens', 'usd']) measure) s
  where s.at_tokens is not null or s.at_usd is not null);
