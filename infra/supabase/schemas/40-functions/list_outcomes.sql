-- Purpose: say which events of a batch were not simply recorded, and why.
-- Parameters: judged (all events), fresh (those that were claimed).
-- Returns: jsonb array of { i (0-based), outcome: duplicate | rejected, conflict?, reason? }, in order.
-- Invariant: a duplicate whose user, session, model or counts differ from what was counted is a conflict;
--   another time alone is none.
create function tollgate.list_outcomes(judged tollgate.judged_event[], fresh tollgate.judged_event[]) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(o.outcome order by o.outcome -> 'i'), '[]')
  from (
    select jsonb_build_object('i', j.ordinal - 1, 'outcome', 'rejected', 'reason', j.rejection) as outcome
    from unnest(judged) j where j.rejection is not null
    union all
    select jsonb_build_object('i', j.ordinal - 1, 'outcome', 'duplicate', 'conflict', i.counts_digest <> j.counts_digest)
    from unnest(judged) j
    join tollgate.usage_event_identities i on i.organization_id = j.organization_id and i.digest = j.digest
    where j.type = 'usage.recorded' and j.rejection is null
      and cardinality(fresh) < cardinality(judged)
      and not exists (select from unnest(fresh) f where f.ordinal = j.ordinal)
  ) o
$$;

grant execute on function tollgate.list_outcomes to tollgate_usage_worker, service_role;
