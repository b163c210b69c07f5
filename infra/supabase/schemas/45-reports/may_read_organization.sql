-- Purpose: whether the signed-in user sees a whole organization: its admin, or super_admin.
-- Parameters: organization. Returns: boolean; false for anybody who is not signed in.
create function tollgate.may_read_organization(organization uuid) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select coalesce((tollgate.my_role() = 'admin' and organization = tollgate.my_organization_id())
    or tollgate.my_role() = 'super_admin', false)
$$;

-- Purpose: the names of users whom the caller may see: own; an organization's for its admin; all for super_admin.
-- Parameters: organization. Returns: a row a user: user_id, user_name (full name, else e-mail).
-- Security definer: profiles show a user the own row alone; says nothing of users whom the caller may not see.
create function tollgate.visible_members(organization uuid) returns table (user_id uuid, user_name text)
language sql stable security definer set search_path = ''
as $$
  select m.user_id, coalesce(nullif(m.full_name, ''), m.email)
  from tollgate.directory_members m
  where m.organization_id = organization
    and (m.user_id = (select auth.uid()) or (select tollgate.may_read_organization(organization)))
$$;

grant execute on function tollgate.may_read_organization, tollgate.visible_members
  to authenticated, service_role, tollgate_token_api;
