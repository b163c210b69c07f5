-- Purpose: what an organization is billed on top of the provider's cost. Parameters: for_organization.
-- Returns: percent: the organization's own, else its plan's, else 0. Reads only.
create function tollgate.markup_percent(for_organization uuid) returns numeric
language sql stable security invoker
return coalesce(
  (select s.markup_percent from tollgate.organization_settings s where s.organization_id = for_organization),
  (select p.markup_percent from tollgate.directory_organizations o join tollgate.plans p on p.plan_type = o.plan_type
   where o.organization_id = for_organization),
  0);

grant execute on function tollgate.markup_percent to tollgate_usage_worker, service_role;
