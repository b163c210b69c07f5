-- Purpose: set the oldest inbox row aside as a dead letter when it cannot be recorded, so that it blocks nothing.
-- Parameters: failure = why. Returns: one row: buried (rows set aside, 0 or 1).
-- Locks: the oldest unlocked inbox row. Invariant: nothing is lost: the row's events stand in dead_letters.
create function public.bury_inbox_head(failure text) returns table (buried integer)
language sql volatile security invoker set search_path = ''
as $$
  with head as (
    delete from tollgate.event_inbox
    where id = (select id from tollgate.event_inbox order by id limit 1 for update skip locked)
    returning events
  ), kept as (
    insert into tollgate.dead_letters (queue, reason, detail, payload)
    select 'event-inbox', 'not_recordable', failure, h.events::text from head h returning id
  )
  select count(*)::integer from kept
$$;

revoke execute on function public.bury_inbox_head from public, anon, authenticated;
grant execute on function public.bury_inbox_head to tollgate_usage_worker, service_role;
