-- Purpose: when an organization was revoked, as far as decisions on record go. Parameters: for_organization. Returns: times,
--   null when never; the last open one has no end. For chat sessions that are to be closed; judge_events asks the same view
--   for many organizations at once. Reads only.
create function tollgate.revoked_times(for_organization uuid) returns tstzmultirange
language sql stable security invoker
return (select range_agg(r.revoked) from tollgate.revocations r where r.organization_id = for_organization);

grant execute on function tollgate.revoked_times to tollgate_usage_worker, service_role;
