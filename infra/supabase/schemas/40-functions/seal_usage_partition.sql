-- Purpose: retention. Seal the oldest month of the ledger that is past it: write the closing figures of its entries by day,
--   session and period, then drop its partition. One month a call.
-- Parameters: retention_days; less than 130 is taken as 130: corrections may reach back 90 days, late usage 35.
-- Returns: no row when nothing is due, else one: partition, entries and total_tokens (as text).
-- Security definer: dropping a partition takes its owner.
-- Locks: the books against reconcile, re-rates, imports and new partitions; the partition against writers; the ledger itself only while the partition goes.
-- Invariant: ledger and closing figures together give the same sums before and after.
create function public.seal_usage_partition(retention_days integer)
returns table (partition text, entries text, total_tokens text)
language plpgsql volatile security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '5s'
as $$
declare
  sealed record;
begin
  perform pg_advisory_xact_lock(hashtext('tollgate.books'));
  select c.relname into partition
  from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'tollgate.usage_events'::regclass and c.relname ~ '^usage_events_\d{6}$'
    and to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month'
      <= now() - make_interval(days => greatest(retention_days, 130))
  order by c.relname limit 1;
  if partition is null then
    return;
  end if;
  execute format('lock table tollgate.%I in share row exclusive mode', partition);
  execute format('select * from tollgate.write_closing_figures(%L)', partition) into sealed;
  execute format('alter table tollgate.usage_events detach partition tollgate.%I', partition);
  execute format('drop table tollgate.%I', partition);
  perform tollgate.record_audit('system:usage-worker', 'ledger.sealed', 'partition:' || partition, to_jsonb(sealed));
  entries := sealed.entries::text;
  total_tokens := sealed.total_tokens::text;
  return next;
end
$$;

revoke execute on function public.seal_usage_partition from public, anon, authenticated;
grant execute on function public.seal_usage_partition to tollgate_usage_worker, service_role;
