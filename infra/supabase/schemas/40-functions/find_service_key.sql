-- Purpose: what a server's key may do. Parameters: key_sha256 = SHA-256 of the key, 64 hex digits.
-- Returns: no row for an unknown, revoked or expired key, else one; organization_id null = the operator's, expires_at null =
--   never. Reads only.
create function public.find_service_key(key_sha256 text)
returns table (id uuid, scopes text[], organization_id uuid, expires_at timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select k.id, k.scopes, k.organization_id, k.expires_at
  from tollgate.service_keys k
  where k.key_hash = decode(key_sha256, 'hex') and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
$$;

revoke execute on function public.find_service_key from public, anon, authenticated;
grant execute on function public.find_service_key to tollgate_token_api, service_role;
