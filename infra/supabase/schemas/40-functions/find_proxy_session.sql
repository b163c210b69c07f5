-- Purpose: whose a session at the proxy is. Parameters: session_sha256 = SHA-256 of the cookie's id, 64 hex digits.
-- Returns: no row for an unknown session, else one; token_id is that of the handoff, or of the access token that stood in
--   for it: a revocation of it ends the session; role is the present one; ended: it is over, or its login session is, or
--   the user was deleted, has left the organization, has a lower role than before or has signed out of Supabase.
-- Reads only.
create function public.find_proxy_session(session_sha256 text)
returns table (
  token_id uuid, login_session_id uuid, organization_id uuid, user_id uuid, role text, expires_at timestamptz,
  ended boolean)
language sql stable security invoker set search_path = ''
as $$
  select coalesce(s.access_token_id, s.handoff_id), s.login_session_id, s.organization_id, s.user_id, m.role, s.expires_at,
    s.ended_at is not null or m.user_id is null or l.id is null or l.ended_at is not null
      or tollgate.login_fault(l) is not null
  from tollgate.proxy_sessions s
  left join tollgate.directory_members m on m.user_id = s.user_id and m.organization_id = s.organization_id
  left join tollgate.login_sessions l on l.id = s.login_session_id
  where s.id_hash = decode(session_sha256, 'hex')
$$;

revoke execute on function public.find_proxy_session from public, anon, authenticated;
grant execute on function public.find_proxy_session to tollgate_token_api, service_role;
