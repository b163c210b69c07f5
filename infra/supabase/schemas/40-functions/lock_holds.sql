-- Purpose: be alone with the holds of some organizations until the end of the transaction.
-- Parameters: organizations. Returns: nothing.
-- Locks: rows of reserved_totals in the order of organization_id; an organization without a row has no holds.
-- Invariant: what is read in a later statement of the transaction is what the last holder of the lock left.
create function tollgate.lock_holds(organizations uuid[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  select from tollgate.reserved_totals t
  where t.organization_id = any(organizations)
  order by t.organization_id
  for update
$$;

grant execute on function tollgate.lock_holds
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
