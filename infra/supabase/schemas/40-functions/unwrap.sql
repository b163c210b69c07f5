-- Purpose: read a jsonb argument that an HTTP layer has encoded twice: @supabase/lite hands over a JSON string that holds
--   the object. Parameters: argument. Returns: the object. Invariant: an argument that is no string is returned as it is.
create function tollgate.unwrap(argument jsonb) returns jsonb
language sql immutable parallel safe
return case jsonb_typeof(argument) when 'string' then (argument #>> '{}')::jsonb else argument end;

grant execute on function tollgate.unwrap
  to authenticated, tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
