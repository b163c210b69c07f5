-- Purpose: what an organization is billed on top of the provider's cost. Parameters: for_organization.
-- Returns: percent: the organization's own, else its plan's, else 0. Reads only.
create function tollgate.markup_percent(for_organization uuid) returns numeric
language sql stable security invoker
return coalesce(
  (select m.markup_percent from tollgate.markups m where m.organization_id = for_organization order by m.rank limit 1), 0);

grant execute on function tollgate.markup_percent to tollgate_usage_worker, service_role;
