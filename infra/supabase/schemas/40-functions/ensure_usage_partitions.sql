-- Purpose: create the ledger's monthly partitions ahead: from two months back to two months on.
-- Parameters: none. Returns: one row: created (how many). Security definer: a service may add partitions, but not own tables.
-- Locks: access exclusive on the default partition while one is created. Invariant: repeatable; months are UTC.
create function public.ensure_usage_partitions() returns table (created integer)
language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
as $$
declare
  month timestamptz;
  partition text;
begin
  created := 0;
  perform pg_advisory_xact_lock(hashtext('tollgate.ensure_usage_partitions'));
  for month in select generate_series(
    date_trunc('month', now()) - interval '2 months', date_trunc('month', now()) + interval '2 months', interval '1 month')
  loop
    partition := 'usage_events_' || to_char(month, 'YYYYMM');
    if to_regclass('tollgate.' || partition) is null then
      execute format('create table tollgate.%I partition of tollgate.usage_events for values from (%L) to (%L)',
        partition, month, month + interval '1 month');
      execute format('alter table tollgate.%I enable row level security', partition);
      created := created + 1;
    end if;
  end loop;
  return next;
end
$$;

revoke execute on function public.ensure_usage_partitions from public, anon, authenticated;
grant execute on function public.ensure_usage_partitions to tollgate_usage_worker, service_role;
