-- The two places where Tollgate reads the project's own organizations and profiles; adapt them to other column names.
-- They run with their owner's rights on purpose (the services have no right on the tables themselves) and are
-- granted to the services alone.
create view tollgate.directory_organizations with (security_barrier) as
  select o.id as organization_id, o.name, o.domain, o.plan_type, o.librechat_config
  from public.organizations o;

create view tollgate.directory_members with (security_barrier) as
  select p.id as user_id, p.organization_id, p.role, p.email, p.full_name, p.username, p.avatar_url
  from public.profiles p;
