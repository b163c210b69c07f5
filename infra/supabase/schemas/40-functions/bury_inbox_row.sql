-- Purpose: keep an inbox row that cannot be recorded from blocking the others. A row of many events is split into rows of
--   one, which come up again by themselves; a single event is set aside as a dead letter.
-- Parameters: row_id, failure = why. Returns: events set aside, 0 or 1.
-- Locks: that row, which the caller holds. Invariant: nothing is lost: each event stands in the inbox or in dead_letters.
create function tollgate.bury_inbox_row(row_id bigint, failure text) returns integer
language sql volatile security invoker set search_path = ''
as $$
  with failed as (
    delete from tollgate.event_inbox where id = row_id returning events, received_at
  ), split as (
    insert into tollgate.event_inbox (received_at, events)
    select f.received_at, jsonb_build_array(e.event)
    from failed f cross join lateral jsonb_array_elements(f.events) e (event) where jsonb_array_length(f.events) > 1
  ), kept as (
    insert into tollgate.dead_letters (queue, reason, detail, payload)
    select 'event-inbox', 'not_recordable', failure, f.events::text from failed f where jsonb_array_length(f.events) <= 1
    returning id
  )
  select count(*)::integer from kept
$$;

grant execute on function tollgate.bury_inbox_row to tollgate_usage_worker, service_role;
