-- Purpose: the ladder that holds where nobody chose, for reports. Parameters: none. Returns: jsonb, as DEFAULT_QUOTA_POLICY
--   of packages/shared/src/contracts/quota-policy.ts says; a test compares the two.
create function tollgate.default_steps() returns jsonb
language sql immutable parallel safe
return '[{"at_percent": 50, "state": "warned"}, {"at_percent": 80, "state": "warned"}, {"at_percent": 90, "state": "warned"},
  {"at_percent": 100, "state": "downgraded"}, {"at_percent": 120, "state": "revoked"}]'::jsonb;

grant execute on function tollgate.default_steps to tollgate_token_api, service_role;

-- Purpose: the steps of a ladder as LLM tokens, lowest first. Parameters: policy (null: the default), limit_tokens (null:
--   unlimited). Returns: jsonb array of { at_tokens (text), state }; steps in US dollars, and shares of no limit, have no
--   place on it.
create function tollgate.report_steps(policy jsonb, limit_tokens bigint) returns jsonb
language sql immutable parallel safe
return (
  select coalesce(jsonb_agg(jsonb_build_object('at_tokens', s.at_tokens::text, 'state', s.state)
    order by s.at_tokens, array_position(array['warned', 'downgraded', 'revoked'], s.state)), '[]')
  from (
    select step ->> 'state' as state,
      coalesce((step ->> 'at_tokens')::bigint, ceil((step ->> 'at_percent')::numeric * limit_tokens / 100)::bigint) as at_tokens
    from jsonb_array_elements(coalesce(policy -> 'steps', tollgate.default_steps())) step) s
  where s.at_tokens is not null);
