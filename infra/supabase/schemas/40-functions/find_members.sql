-- Purpose: to which organizations users belong, and in what role. Parameters: users = { "ids": [uuid, …] }.
-- Returns: a row a known user: user_id, organization_id (null: none), role. Reads only.
create function public.find_members(users jsonb) returns table (user_id uuid, organization_id uuid, role text)
language sql stable security invoker set search_path = ''
as $$
  select m.user_id, m.organization_id, m.role
  from jsonb_array_elements_text(tollgate.unwrap(users) -> 'ids') u (id)
  join tollgate.directory_members m on m.user_id = u.id::uuid
$$;

revoke execute on function public.find_members from public, anon, authenticated;
grant execute on function public.find_members to tollgate_token_api, service_role;
