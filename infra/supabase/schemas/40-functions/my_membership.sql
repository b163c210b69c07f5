-- Purpose: organization and role of the signed-in user, for policies. Parameters: none. Returns: a value, or null.
-- Security definer: a policy on profiles could not read profiles; says nothing of anybody but the caller.
create function tollgate.my_organization_id() returns uuid
language sql stable security definer set search_path = ''
as $$ select m.organization_id from tollgate.directory_members m where m.user_id = (select auth.uid()) $$;

create function tollgate.my_role() returns text
language sql stable security definer set search_path = ''
as $$ select m.role from tollgate.directory_members m where m.user_id = (select auth.uid()) $$;

revoke execute on function tollgate.my_organization_id, tollgate.my_role from public;
grant execute on function tollgate.my_organization_id, tollgate.my_role to authenticated;
