-- Purpose: note when keys were used last, for many at once. Parameters: used = { keys: [{ id, used_at }, …] }.
-- Returns: one row: touched. Invariant: last_used_at only rises. Locks: the rows, in the order of their ids.
create function public.touch_service_keys(used jsonb) returns table (touched integer)
language sql volatile security invoker set search_path = ''
as $$
  with uses as materialized (
    select u.id, max(u.used_at) as used_at
    from jsonb_to_recordset(tollgate.unwrap(used) -> 'keys') as u (id uuid, used_at timestamptz)
    group by u.id
  ), locked as materialized (
    select k.id from tollgate.service_keys k join uses u on u.id = k.id order by k.id for update of k
  ), written as (
    update tollgate.service_keys k set last_used_at = greatest(k.last_used_at, u.used_at)
    from locked l join uses u on u.id = l.id
    where k.id = l.id
    returning 1
  )
  select count(*)::integer from written
$$;

revoke execute on function public.touch_service_keys from public, anon, authenticated;
grant execute on function public.touch_service_keys to tollgate_token_api, service_role;
