-- Purpose: the short form of an event's identity. Parameters: source, id. Returns: first 16 bytes of SHA-256 over source,
--   NUL, id: no text holds a NUL, so no two pairs are written alike. Before them, of an id that looks like a UUID of version 7
--   (RFC 9562 5.7), seven digits of its time, in steps of four seconds: such identities come to lie beside each other, and an
--   insert touches the same few pages of the index however large it is.
create function tollgate.identity_digest(source text, id text) returns bytea
language sql stable parallel safe -- as convert_to is: only so it becomes part of the query that calls it
return convert_to(case when id like '________-____-7___-%' then substr(id, 3, 6) || substr(id, 10, 1) else '' end, 'UTF8')
  || substring(sha256(convert_to(source, 'UTF8') || '\x00'::bytea || convert_to(id, 'UTF8')) for 16);

grant execute on function tollgate.identity_digest to tollgate_token_api, tollgate_usage_worker, service_role;
