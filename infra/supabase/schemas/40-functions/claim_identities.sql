-- Purpose: let each usage event count once: claim its identity, in the transaction that counts it.
-- Parameters: judged events. Returns: fresh: the usage events that are new, the first of each identity in the batch;
--   probes: corrections whose original has not arrived; this transaction holds its identity (see release_probes).
-- Locks: identity rows in the order (organization_id, digest): unsorted inserts deadlock under redelivery.
-- Invariant: (organization, source, id) counts once, whatever else the event says. A correction claims the identity of its
--   original too: so it waits for a transaction that is just recording it, and one of the two always sees the other.
create function tollgate.claim_identities(
  judged tollgate.judged_event[], out fresh tollgate.judged_event[], out probes tollgate.judged_event[])
language sql volatile security invoker set search_path = ''
set enable_nestloop = off -- the planner cannot know how many events a batch has
as $$
  with first as materialized (
    select distinct on (j.organization_id, j.digest) j as event, j.organization_id, j.digest, j.counts_digest,
      j.type = 'usage.recorded' as is_usage
    from unnest(judged) j
    where j.type in ('usage.recorded', 'usage.corrected') and j.rejection is null
    order by j.organization_id, j.digest, j.type = 'usage.corrected', j.ordinal
  ), claimed as (
    insert into tollgate.usage_event_identities (organization_id, digest, counts_digest)
    select f.organization_id, f.digest, f.counts_digest from first f order by f.organization_id, f.digest
    on conflict do nothing
    returning organization_id, digest
  )
  select coalesce(array_agg(f.event) filter (where f.is_usage), '{}'),
    coalesce(array_agg(f.event) filter (where not f.is_usage), '{}')
  from first f join claimed c on c.organization_id = f.organization_id and c.digest = f.digest
$$;

grant execute on function tollgate.claim_identities to tollgate_usage_worker, service_role;
