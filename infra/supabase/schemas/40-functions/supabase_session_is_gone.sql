-- Purpose: whether a Supabase session was signed out (or has ended, or its user was deleted). Parameters: session (null:
--   the token named none), of_user. Returns: true when it is certainly gone; false where it lives or cannot be told.
-- Security definer: services have no right on the auth schema. It says yes or no of one session and nothing else.
create function tollgate.supabase_session_is_gone(session uuid, of_user uuid) returns boolean
language plpgsql stable security definer set search_path = ''
as $$
begin
  if session is null or to_regclass('auth.sessions') is null or not has_table_privilege('auth.sessions', 'select') then
    return false;
  end if;
  return not exists (
    select from auth.sessions s
    where s.id = session and s.user_id = of_user and (s.not_after is null or s.not_after > now()));
end
$$;

revoke execute on function tollgate.supabase_session_is_gone from public;
grant execute on function tollgate.supabase_session_is_gone to tollgate_token_api, service_role;
