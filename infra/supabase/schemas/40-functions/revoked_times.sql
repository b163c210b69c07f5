-- Purpose: when an organization was revoked of late. Parameters: for_organization. Returns: instants, null when never;
--   the last open one has no end. Looks back as far as an event may be late. Reads only.
create function tollgate.revoked_times(for_organization uuid) returns tstzmultirange
language sql stable security invoker
return (select range_agg(r.revoked) from tollgate.revocations r where r.organization_id = for_organization);

grant execute on function tollgate.revoked_times to tollgate_usage_worker, service_role;
