-- Purpose: forget identities of events that can no longer be sent again or corrected, and corrections that have waited for
--   as long without their original. Parameters: retention_days (less than 90 is taken as 90), max_rows of this call, of
--   either kind. Returns: one row: pruned (identities).
-- Locks: the identities' rows; nobody else locks one that exists. A waiting correction that somebody else has locked is left
--   for the next call. Invariant: an identity lives at least 90 days after it was seen; one that came by an import is kept,
--   since imports are not bound to 35 days.
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
  ), unanswered as materialized (
    select p.organization_id, p.digest from tollgate.pending_corrections p
    where p.received_at < now() - make_interval(days => greatest(retention_days, 90))
    limit max_rows
    for update skip locked
  ), dropped as (
    delete from tollgate.pending_corrections p using unanswered u
    where p.organization_id = u.organization_id and p.digest = u.digest
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.prune_identities from public, anon, authenticated;
grant execute on function public.prune_identities to tollgate_usage_worker, service_role;
