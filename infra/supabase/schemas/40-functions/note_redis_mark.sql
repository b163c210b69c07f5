-- Purpose: remember how far a Redis has come, or that another one stands in its place.
-- Parameters: for_name; new_epoch and new_mark as read from Redis; instead_of = the epoch that has ended, null for none.
-- Returns: one row: noted = false when somebody else has noted another epoch meanwhile.
-- Locks: the row of for_name. Invariant: within an epoch the mark only rises; an epoch is replaced once.
create function public.note_redis_mark(for_name text, new_epoch uuid, new_mark bigint, instead_of uuid default null)
returns table (noted boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if instead_of is null then
    insert into tollgate.redis_marks as m (name, epoch, mark) values (for_name, new_epoch, new_mark)
    on conflict (name) do update set mark = greatest(m.mark, excluded.mark), seen_at = now()
      where m.epoch = excluded.epoch;
  else
    update tollgate.redis_marks m set epoch = new_epoch, mark = new_mark, since = now(), seen_at = now()
    where m.name = for_name and m.epoch = instead_of;
  end if;
  return query select found;
end
$$;

revoke execute on function public.note_redis_mark from public, anon, authenticated;
grant execute on function public.note_redis_mark to tollgate_usage_worker, service_role;
