-- Purpose: forget holds that ended long ago. Parameters: max_rows. Returns: one row: pruned. Locks: the rows it deletes.
-- Invariant: open holds stay; an ended one is kept for 8 days, so that a repeated request still finds its answer.
create function public.prune_reservations(max_rows integer) returns table (pruned integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.reservations r where r.id = any(array(
      select d.id from tollgate.reservations d
      where d.created_at < now() - interval '8 days' and d.state in ('settled', 'released', 'expired')
      limit max_rows))
    returning r.id
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.prune_reservations from public, anon, authenticated;
grant execute on function public.prune_reservations to tollgate_quota_enforcer, service_role;
