-- Purpose: apply the corrections of a batch, and those that waited for originals of this batch.
-- Parameters: judged (all events), fresh (usage events that were claimed and are in the ledger), probes (see
--   claim_identities). Returns: entries to be appended and added to the rollups; taken: ordinals of the corrections of this
--   batch that changed something or wait now.
-- Locks: identities of originals in the order (organization_id, digest), so that corrections of one original queue up;
--   then pending_corrections, likewise sorted.
-- Invariant: the highest revision holds, in whatever order corrections and original arrive, and however often.
create function tollgate.apply_corrections(
  judged tollgate.judged_event[], fresh tollgate.judged_event[], probes tollgate.judged_event[],
  out entries tollgate.judged_event[], out taken bigint[])
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  highest tollgate.judged_event[];
  waiting tollgate.judged_event[];
begin
  perform tollgate.release_probes(probes);
  highest := array(
    select distinct on (c.organization_id, c.digest) c.correction
    from (
      select j.organization_id, j.digest, j.revision, j.ordinal, j as correction
      from unnest(judged) j where j.type = 'usage.corrected' and j.rejection is null
      union all
      select p.organization_id, p.digest, p.revision, null,
        jsonb_populate_record(null::tollgate.judged_event, to_jsonb(p))
      from tollgate.pending_corrections p
      join unnest(fresh) f on f.organization_id = p.organization_id and f.digest = p.digest
    ) c
    order by c.organization_id, c.digest, c.revision desc, c.ordinal nulls first);

  perform from tollgate.usage_event_identities i
  join unnest(highest) h on h.organization_id = i.organization_id and h.digest = i.digest
  order by i.organization_id, i.digest
  for update of i;

  entries := array(select e from tollgate.correction_entries(highest) e);
  waiting := array(
    select h from unnest(highest) h
    where not exists (select from tollgate.usage_event_identities i
      where i.organization_id = h.organization_id and i.digest = h.digest));
  taken := tollgate.hold_corrections(waiting) || array(
    select distinct e.ordinal from unnest(entries) e where e.ordinal is not null); -- null: one that waited
  delete from tollgate.pending_corrections p
  using unnest(fresh) f where f.organization_id = p.organization_id and f.digest = p.digest;
end
$$;

grant execute on function tollgate.apply_corrections to tollgate_usage_worker, service_role;
