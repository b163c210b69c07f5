-- Purpose: record usage of the past, which is not bound to 35 days, or say what would become of it.
-- Parameters: batch = { "events": [AcceptedEvent, …], "dry_run": boolean }.
-- Returns: one row: recorded, duplicates, conflicts, unpriced (counts; with dry_run: would be), rejected: jsonb array of
--   { i (0-based), reason }.
-- Locks: a share of the books, since it writes to months that may be sealed or made meanwhile; then as ingest_usage.
-- Invariant: as ingest_usage, and: no enforcement for past periods, so what belongs to a closed period is rejected
--   (period_closed) instead of counting against the present one; identities of imports are never pruned, also one that
--   somebody else is recording at this moment. The source of opening balances (tollgate) is rejected as invalid_event.
create function public.import_usage(batch jsonb)
returns table (recorded integer, duplicates integer, conflicts integer, unpriced integer, rejected jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  asked jsonb := tollgate.unwrap(batch);
  events jsonb;
  judged tollgate.judged_event[];
  refused jsonb;
  outcome record;
begin
  select coalesce(jsonb_agg(e.event || '{"imported": true, "type": "usage.recorded"}' order by e.position), '[]') into events
  from jsonb_array_elements(asked -> 'events') with ordinality e (event, position);
  judged := array(select j from tollgate.judge_events(jsonb_build_object('events', events)) j);
  if not coalesce((asked ->> 'dry_run')::boolean, false) then
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.books'));
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.periods')); -- before the look at what is closed
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('i', j.ordinal - 1, 'reason', coalesce(j.rejection,
      case when j.source = 'tollgate' then 'invalid_event' when o.organization_id is null then 'unknown_organization' else 'period_closed' end)) order by j.ordinal), '[]')
  into refused
  from unnest(judged) j
  left join tollgate.directory_organizations o on o.organization_id = j.organization_id
  left join tollgate.period_statements s on s.organization_id = j.organization_id and s.period_start = j.period_start
  where j.rejection is not null or o.organization_id is null or s.organization_id is not null or j.source = 'tollgate';
  rejected := refused;
  if (asked ->> 'dry_run')::boolean then
    select count(*) filter (where i.digest is null), count(*) filter (where i.digest is not null),
      count(*) filter (where i.counts_digest <> j.counts_digest), count(*) filter (where i.digest is null and j.price_id is null)
    into recorded, duplicates, conflicts, unpriced
    from unnest(judged) j
    left join tollgate.usage_event_identities i on i.organization_id = j.organization_id and i.digest = j.digest
    where not exists (select from jsonb_array_elements(refused) r where (r ->> 'i')::bigint = j.ordinal - 1);
    return next;
    return;
  end if;
  select coalesce(jsonb_agg(e.event order by e.position), '[]') into events
  from jsonb_array_elements(events) with ordinality e (event, position)
  where not exists (select from jsonb_array_elements(refused) r where (r ->> 'i')::bigint = e.position - 1);
  loop
    begin
      -- Those that are known already, before ingest_usage locks anything else. Its own are marked as it inserts them.
      perform from tollgate.usage_event_identities i
      join unnest(judged) j on j.organization_id = i.organization_id and j.digest = i.digest
      order by i.organization_id, i.digest
      for update of i;
      update tollgate.usage_event_identities i set imported = true
      from unnest(judged) j where i.organization_id = j.organization_id and i.digest = j.digest and not i.imported;
      select * into outcome from public.ingest_usage(jsonb_build_object('events', events));
      exit when not exists (
        select from tollgate.usage_event_identities i
        join unnest(judged) j on j.organization_id = i.organization_id and j.digest = i.digest where not i.imported);
      raise sqlstate 'TG001'; -- recorded by somebody else between the marking and the claim: undo, and mark it too
    exception when sqlstate 'TG001' then null;
    end;
  end loop;
  select count(*), count(*) filter (where (o ->> 'conflict')::boolean) into duplicates, conflicts
  from jsonb_array_elements(outcome.outcomes) o where o ->> 'outcome' = 'duplicate';
  recorded := jsonb_array_length(events) - jsonb_array_length(outcome.outcomes);
  unpriced := outcome.unpriced;
  return next;
end
$$;

revoke execute on function public.import_usage from public, anon, authenticated;
grant execute on function public.import_usage to service_role;
