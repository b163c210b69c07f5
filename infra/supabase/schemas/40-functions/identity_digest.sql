-- Purpose: the short form of an event's identity. Parameters: source, id. Returns: first 16 bytes of SHA-256 over source,
--   NUL, id: no text holds a NUL, so no two pairs are written alike.
create function tollgate.identity_digest(source text, id text) returns bytea
language sql stable parallel safe -- as convert_to is: only so it becomes part of the query that calls it
return substring(sha256(convert_to(source, 'UTF8') || '\x00'::bytea || convert_to(id, 'UTF8')) for 16);

grant execute on function tollgate.identity_digest to tollgate_token_api, tollgate_usage_worker, service_role;
