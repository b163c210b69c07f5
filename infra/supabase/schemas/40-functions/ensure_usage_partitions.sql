-- Purpose: create the ledger's monthly partitions ahead, from two months back to two months on, and those of months whose
--   entries had to go to the default partition meanwhile (a missing month, an import); their entries are moved.
-- Parameters: none. Returns: one row: created (partitions), moved (entries, as text).
-- Security definer: a service may add partitions, but not own tables.
-- Locks: a share of the books; only while there is something to create, the whole of them (whoever reads the ledger and then
--   writes to it has a share), the ledger against writers (they wait and then see the new partition, where a mere attach would refuse an insert under
--   way), then the default partition.
-- Invariant: repeatable; months are UTC; no entry is lost or in two partitions.
create function public.ensure_usage_partitions() returns table (created integer, moved text)
language plpgsql volatile security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '5s'
as $$
declare
  month timestamptz;
  partition text;
  moved_here bigint;
  moved_entries bigint := 0;
begin
  created := 0;
  perform pg_advisory_xact_lock(hashtext('tollgate.ensure_usage_partitions'));
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.books')); -- sealing takes the default partition last
  for month in
    select generate_series(
      date_trunc('month', now()) - interval '2 months', date_trunc('month', now()) + interval '2 months', interval '1 month')
    union
    select date_trunc('month', d.time) from tollgate.usage_events_default d
    order by 1
  loop
    partition := 'usage_events_' || to_char(month, 'YYYYMM');
    continue when to_regclass('tollgate.' || partition) is not null;
    if created = 0 then
      perform pg_advisory_xact_lock(hashtext('tollgate.books'));
      lock table only tollgate.usage_events in share row exclusive mode;
      lock table tollgate.usage_events_default in access exclusive mode;
    end if;
    execute format('create table tollgate.%I (like tollgate.usage_events including all)', partition);
    execute format('alter table tollgate.%I enable row level security', partition);
    execute format('with taken as (
        delete from tollgate.usage_events_default where time >= %L and time < %L returning *)
      insert into tollgate.%I select * from taken', month, month + interval '1 month', partition);
    get diagnostics moved_here = row_count;
    execute format('alter table tollgate.usage_events attach partition tollgate.%I for values from (%L) to (%L)',
      partition, month, month + interval '1 month');
    created := created + 1;
    moved_entries := moved_entries + moved_here;
  end loop;
  moved := moved_entries::text;
  return next;
end
$$;

revoke execute on function public.ensure_usage_partitions from public, anon, authenticated;
grant execute on function public.ensure_usage_partitions to tollgate_usage_worker, service_role;
