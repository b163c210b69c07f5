-- Purpose: take events out of the outbox for a relay, oldest first. Parameters: max_rows, lease_ms (another relay takes
--   them again after that). Returns: a row an event: id, event (AcceptedEvent), created_at.
-- Locks: the rows (skip locked, so that relays share the work). Invariant: nothing leaves the outbox here.
create function public.take_session_events(max_rows integer, lease_ms integer)
returns table (id text, event jsonb, created_at timestamptz)
language sql volatile security invoker set search_path = ''
as $$
  update tollgate.session_event_outbox o set taken_until = clock_timestamp() + make_interval(secs => lease_ms / 1000.0)
  from (
    select t.id from tollgate.session_event_outbox t where t.taken_until < clock_timestamp()
    order by t.id limit max_rows for update skip locked
  ) taken
  where o.id = taken.id
  returning o.id::text, o.event, o.created_at
$$;

revoke execute on function public.take_session_events from public, anon, authenticated;
grant execute on function public.take_session_events to tollgate_token_api, service_role;
