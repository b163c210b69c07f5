-- Purpose: compare roles. Parameters: role. Returns: the more a role may do, the higher; 0 for none and for an unknown one.
-- Reads nothing.
create function tollgate.role_rank(role text) returns integer
language sql immutable parallel safe security invoker set search_path = ''
as $$
  select coalesce(array_position(array['user', 'admin', 'super_admin'], role), 0)
$$;

grant execute on function tollgate.role_rank to tollgate_token_api, service_role;
