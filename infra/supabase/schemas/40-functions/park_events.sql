-- Purpose: accept events while Redis is away. Parameters: batch = { "events": [AcceptedEvent, …] }.
-- Returns: one row: parked (events). Locks: none. Invariant: what this returned for is on disk.
create function public.park_events(batch jsonb) returns table (parked integer)
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.event_inbox (events) values (tollgate.unwrap(batch) -> 'events') returning jsonb_array_length(events)
$$;

revoke execute on function public.park_events from public, anon, authenticated;
grant execute on function public.park_events to tollgate_token_api, service_role;
