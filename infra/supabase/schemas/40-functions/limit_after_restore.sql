-- Purpose: how far holds may go after access was restored by hand: steps that were reached by then have no effect.
-- Parameters: limit_tokens (null: unlimited), granted_tokens (part of it: absolute steps lie that much higher), policy (null:
--   the default ladder), forgiven_tokens (what was used then). Returns: the limit while it was not reached, else the next step
--   that revokes, else null: none. Reads only.
create function tollgate.limit_after_restore(
  limit_tokens bigint, granted_tokens bigint, policy jsonb, forgiven_tokens bigint) returns bigint
language sql immutable parallel safe security invoker set search_path = ''
as $$
  select case when forgiven_tokens < limit_tokens then limit_tokens else (
    select min(s.at_tokens)
    from (
      select coalesce((step ->> 'at_tokens')::bigint + granted_tokens,
        ceil((step ->> 'at_percent')::numeric * limit_tokens / 100)::bigint) as at_tokens
      from jsonb_array_elements(coalesce(policy -> 'steps', tollgate.default_steps())) step
      where step ->> 'state' = 'revoked' and step ->> 'mode' is distinct from 'soft') s
    where limit_tokens is not null and s.at_tokens > forgiven_tokens) end
$$;

grant execute on function tollgate.limit_after_restore to tollgate_token_api, service_role;
