-- Purpose: every revocation that a gate must know: the truth that Redis holds a copy of. Parameters: none.
-- Returns: a row a token (jti) or login session (sid): kind, id, expires_at (seconds since the epoch). Reads only.
create function public.list_revocations() returns table (kind text, id uuid, expires_at text)
language sql stable security invoker set search_path = ''
as $$
  select r.kind, r.id, extract(epoch from r.expires_at)::bigint::text
  from tollgate.token_revocations r where r.expires_at > now()
$$;

revoke execute on function public.list_revocations from public, anon, authenticated;
grant execute on function public.list_revocations to tollgate_token_api, service_role;
