-- Purpose: login sessions of a user (the device list), or one by its id. Parameters: wanted = { user_id? , session_id? }.
-- Returns: a row a session, newest use first, at most 200 open ones of a user; by id also one that has ended. Reads only.
create function public.list_logins(wanted jsonb)
returns table (
  id uuid, organization_id uuid, user_id uuid, kind text, user_agent text, started_at timestamptz,
  last_used_at timestamptz, expires_at timestamptz, ended_at timestamptz, end_reason text, refresh_hash text,
  refresh_expires_at timestamptz, ends_at timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select s.id, s.organization_id, s.user_id, s.kind, s.user_agent, s.started_at, s.last_used_at, s.expires_at,
    s.ended_at, s.end_reason, encode(s.refresh_hash, 'hex'), s.refresh_expires_at, s.ends_at
  from (select tollgate.unwrap(wanted) as value) w
  join tollgate.login_sessions s on s.id = (w.value ->> 'session_id')::uuid
    or (s.user_id = (w.value ->> 'user_id')::uuid and s.ended_at is null and s.expires_at > now())
  order by s.last_used_at desc nulls last, s.id
  limit 200
$$;

revoke execute on function public.list_logins from public, anon, authenticated;
grant execute on function public.list_logins to tollgate_token_api, service_role;
