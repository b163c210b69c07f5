-- Purpose: put an administrative act on record. Called by the function that does the act, so that neither is without the
--   other. Parameters: actor (user:<id>, key:<id>, operator, cli, system:<service>), action (<thing>.<verb in the past>, such
--   as quota.changed), target (<kind>:<id>), details (an object: before and after, the reason; never a secret),
--   organization (whose admin may read it; by default the one that the target names, else the operator alone).
-- Returns: id of the entry. Locks: none.
create function tollgate.record_audit(
  actor text, action text, target text, details jsonb default '{}', organization uuid default null)
returns bigint
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.audit_log (actor, action, target, organization_id, details)
  values (actor, action, target, coalesce(organization, substring(target from '^organization:([0-9a-f-]{36})$')::uuid),
    coalesce(details, '{}'))
  returning id
$$;

grant execute on function tollgate.record_audit
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
