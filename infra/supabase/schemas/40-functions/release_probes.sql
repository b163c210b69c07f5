-- Purpose: give the identities back that corrections have claimed for originals that have not arrived.
-- Parameters: probes: see claim_identities. Returns: nothing.
-- Invariant: whoever records the original meanwhile waits until this transaction is over, and then finds the correction.
create function tollgate.release_probes(probes tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  delete from tollgate.usage_event_identities i
  using unnest(probes) p
  where i.organization_id = p.organization_id and i.digest = p.digest
$$;

grant execute on function tollgate.release_probes to tollgate_usage_worker, service_role;
