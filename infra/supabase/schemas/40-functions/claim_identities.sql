-- Purpose: let each usage event count once: claim its identity, in the transaction that counts it.
-- Parameters: judged events. Returns: claimed: ordinals of the usage events that are new, the first of each identity in the
--   batch; probes: corrections whose original has not arrived; this transaction holds its identity (see release_probes).
-- Locks: identity rows in the order (organization_id, digest): unsorted inserts deadlock under redelivery.
-- Invariant: (organization, source, id) counts once, whatever else the event says. A correction claims the identity of its
--   original too: so it waits for a transaction that is just recording it, and one of the two always sees the other.
create function tollgate.claim_identities(
  judged tollgate.judged_event[], out claimed bigint[], out probes tollgate.judged_event[])
language sql volatile security invoker set search_path = ''
set enable_nestloop = off -- the planner cannot know how many events a batch has
as $$
  with first as materialized (
    select distinct on (j.organization_id, j.digest) j.ordinal, j.organization_id, j.digest, j.counts_digest, j.imported,
      j.type = 'usage.recorded' as is_usage, case when j.type = 'usage.corrected' then j end as correction
    from unnest(judged) j
    where j.type in ('usage.recorded', 'usage.corrected') and j.rejection is null
    order by j.organization_id, j.digest, j.type = 'usage.corrected', j.ordinal
  ), inserted as (
    insert into tollgate.usage_event_identities (organization_id, digest, counts_digest, imported)
    select f.organization_id, f.digest, f.counts_digest, f.imported from first f order by f.organization_id, f.digest
    on conflict do nothing
    returning organization_id, digest
  )
  select coalesce(array_agg(f.ordinal) filter (where f.is_usage), '{}'),
    coalesce(array_agg(f.correction) filter (where not f.is_usage), '{}')
  from first f join inserted i on i.organization_id = f.organization_id and i.digest = f.digest
$$;

-- Purpose: the events of a batch with the given ordinals. Parameters: judged, ordinals. Returns: those events. Reads only.
create function tollgate.pick_events(judged tollgate.judged_event[], ordinals bigint[]) returns tollgate.judged_event[]
language sql stable security invoker set search_path = ''
set enable_nestloop = off -- as above
as $$
  select coalesce(array_agg(j), '{}') from unnest(judged) j join unnest(ordinals) o (ordinal) on o.ordinal = j.ordinal
$$;

grant execute on function tollgate.claim_identities, tollgate.pick_events to tollgate_usage_worker, service_role;
