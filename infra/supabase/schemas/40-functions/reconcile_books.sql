-- Purpose: prove the rollups by the ledger, some slices a call: days (usage_metrics, usage_by_model,
--   usage_by_organization_model), months by these days, chat sessions by the day they started, period totals; put right what
--   is off, and fold months that are over.
-- Parameters: scan = { stage?, organization_id?, at?, carried? (where the last call ended), since? (days from then on),
--   only_organization?, repair, budget_ms }.
-- Returns: one row: resume (the next call's scan; null: all is through), slices, drift (see check_slice), busy (retention is
--   at work: call again later).
-- Locks: a share of the books, so that no partition comes or goes meanwhile; a call ends with the slice that it has written,
--   so that rows are locked in the order of ingest_usage and for one slice alone.
-- Invariant: safe during full load: a slice is compared in one snapshot, and recomputed under the locks of its rows.
create function public.reconcile_books(scan jsonb)
returns table (resume jsonb, slices integer, drift jsonb, busy boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(scan);
  here record;
  began timestamptz := clock_timestamp();
  changed boolean := false;
  steps integer := 0;
  checked record;
begin
  select s.* into here from jsonb_to_record(asked) as s (stage text, organization_id uuid, at text, since date,
    only_organization uuid, repair boolean, budget_ms integer, carried jsonb);
  here.stage := coalesce(here.stage, 'days');
  slices := 0;
  drift := '[]';
  busy := not pg_try_advisory_xact_lock_shared(hashtext('tollgate.books'));
  while not busy and here.stage is not null and drift = '[]' and not changed
    and (steps = 0 or clock_timestamp() < began + make_interval(secs => here.budget_ms / 1000.0)) loop
    if here.carried is null then -- else the next window of the same sessions
      select n.organization_id, n.at into here.organization_id, here.at
      from tollgate.next_slice(here.stage, here.organization_id, here.at, here.since, here.only_organization) n;
      slices := slices + (here.organization_id is not null)::integer;
    end if;
    steps := steps + 1;
    if here.organization_id is null then
      here.stage := case here.stage when 'days' then 'months' when 'months' then 'sessions' when 'sessions' then 'periods' end;
    else
      select c.* into checked
      from tollgate.check_slice(here.stage, here.organization_id, here.at, here.repair, here.carried) c;
      drift := checked.drift;
      changed := checked.changed;
      here.at := coalesce(checked.next_at, split_part(here.at, '>', 1));
      here.carried := checked.next_carried;
    end if;
  end loop;
  resume := case when here.stage is not null then asked || to_jsonb(here) end;
  return next;
end
$$;

revoke execute on function public.reconcile_books from public, anon, authenticated;
grant execute on function public.reconcile_books to tollgate_usage_worker, service_role;
