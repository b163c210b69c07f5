-- Purpose: when an organization was revoked of late. Parameters: for_organization. Returns: instants, null when never;
--   the last open one has no end. Looks back as far as an event may be late. Reads only.
create function tollgate.revoked_times(for_organization uuid) returns tstzmultirange
language sql stable security invoker set search_path = ''
as $$
  select range_agg(tstzrange(d.decided_at, (
      select min(n.decided_at) from tollgate.quota_decisions n
      where n.organization_id = d.organization_id and n.decided_at > d.decided_at and n.to_state <> 'revoked' and n.user_id is null and n.kind = 'change')))
  from tollgate.quota_decisions d
  where d.organization_id = for_organization and d.to_state = 'revoked' and d.user_id is null and d.kind = 'change'
$$;

grant execute on function tollgate.revoked_times to tollgate_usage_worker, service_role;
