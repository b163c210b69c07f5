-- Purpose: whether a sign-in to Supabase goes on. Parameters: session (of the Supabase token), of_user.
-- Returns: one row: signed_out (false also where it cannot be told). Reads only.
create function public.find_sign_in(session uuid, of_user uuid) returns table (signed_out boolean)
language sql stable security invoker set search_path = ''
as $$
  select tollgate.supabase_session_is_gone(session, of_user)
$$;

revoke execute on function public.find_sign_in from public, anon, authenticated;
grant execute on function public.find_sign_in to tollgate_token_api, service_role;
