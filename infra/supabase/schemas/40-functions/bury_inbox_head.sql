-- Purpose: keep an inbox row that cannot be recorded from blocking the others. A row of many events is split into rows of
--   one, which come up again by themselves; a single event is set aside as a dead letter.
-- Parameters: failure = why. Returns: one row: buried (events set aside, 0 or 1).
-- Locks: the oldest unlocked inbox row. Invariant: nothing is lost: each event stands in the inbox or in dead_letters.
create function public.bury_inbox_head(failure text) returns table (buried integer)
language sql volatile security invoker set search_path = ''
as $$
  with head as (
    delete from tollgate.event_inbox
    where id = (select id from tollgate.event_inbox order by id limit 1 for update skip locked)
    returning events, received_at
  ), split as (
    insert into tollgate.event_inbox (received_at, events)
    select h.received_at, jsonb_build_array(e.event)
    from head h cross join lateral jsonb_array_elements(h.events) e (event) where jsonb_array_length(h.events) > 1
  ), kept as (
    insert into tollgate.dead_letters (queue, reason, detail, payload)
    select 'event-inbox', 'not_recordable', failure, h.events::text from head h where jsonb_array_length(h.events) <= 1
    returning id
  )
  select count(*)::integer from kept
$$;

revoke execute on function public.bury_inbox_head from public, anon, authenticated;
grant execute on function public.bury_inbox_head to tollgate_usage_worker, service_role;
