-- Purpose: forget identities of events that can no longer be sent again or corrected. Parameters: retention_days (less
--   than 90 is taken as 90), max_rows of this call. Returns: one row: pruned.
-- Locks: the identities' rows; nobody else locks one that exists. Invariant: an identity lives at least 90 days after it
--   was seen; one that came by an import is kept, since imports are not bound to 35 days.
create function public.prune_identities(retention_days integer, max_rows integer) returns table (pruned integer)
language sql volatile security invoker set search_path = ''
as $$
  with old as materialized (
    select i.organization_id, i.digest from tollgate.usage_event_identities i
    where i.seen_at < now() - make_interval(days => greatest(retention_days, 90)) and not i.imported
    limit max_rows
  ), gone as (
    delete from tollgate.usage_event_identities i using old
    where i.organization_id = old.organization_id and i.digest = old.digest
      and i.seen_at < now() - make_interval(days => greatest(retention_days, 90))
    returning i.digest
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.prune_identities from public, anon, authenticated;
grant execute on function public.prune_identities to tollgate_usage_worker, service_role;
