-- Purpose: why a login session may not go on. Parameters: session. Returns: null when it may, else the reason for its end.
-- Reads only. Invariant: a user who was deleted, has left the organization, has a lower role than a token of the session
--   names (none, and an unknown one, count as lower than any) or has signed out of Supabase gets nothing new.
create function tollgate.login_fault(session tollgate.login_sessions) returns text
language sql stable security invoker set search_path = ''
as $$
  select case
    when m.user_id is null then 'user_deleted'
    when m.organization_id is distinct from session.organization_id then 'organization_changed'
    when tollgate.role_rank(m.role) < tollgate.role_rank(session.role) then 'role_reduced'
    when tollgate.supabase_session_is_gone(session.supabase_session_id, session.user_id) then 'signed_out'
  end
  from (select session.user_id as id) u left join tollgate.directory_members m on m.user_id = u.id
$$;

grant execute on function tollgate.login_fault to tollgate_token_api, service_role;
