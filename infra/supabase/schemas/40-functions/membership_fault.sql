-- Purpose: why a user's events may not count for an organization. Parameters: for_organization, for_user,
--   names_user (false: the event speaks of no user, only the organization is judged).
-- Returns: null when the user belongs to it, else a rejection reason. Reads only.
create function tollgate.membership_fault(for_organization uuid, for_user uuid, names_user boolean) returns text
language sql stable security invoker set search_path = ''
as $$
  select case
    when not exists (select from tollgate.directory_organizations o where o.organization_id = for_organization)
      then 'unknown_organization'
    when not names_user then null
    when not exists (select from tollgate.directory_members m where m.user_id = for_user) then 'unknown_user'
    when not exists (
      select from tollgate.directory_members m where m.user_id = for_user and m.organization_id = for_organization)
      then 'user_not_in_organization'
  end
$$;

grant execute on function tollgate.membership_fault to tollgate_token_api, tollgate_usage_worker, service_role;
