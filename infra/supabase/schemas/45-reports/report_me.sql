-- Purpose: who is signed in, for a dashboard's first view. Parameters: none. Returns: no row for a user without a profile,
--   else one; organization columns null for a user of none.
-- Security definer: says nothing of anybody but the caller.
create function public.report_me()
returns table (
  user_id uuid, email text, user_name text, role text, organization_id uuid, organization_name text, plan_type text)
language sql stable security definer set search_path = ''
as $$
  select m.user_id, m.email, coalesce(nullif(m.full_name, ''), m.email), m.role, o.organization_id, o.name, o.plan_type
  from tollgate.directory_members m
  left join tollgate.directory_organizations o on o.organization_id = m.organization_id
  where m.user_id = (select auth.uid())
$$;

revoke execute on function public.report_me from public, anon;
grant execute on function public.report_me to authenticated;
