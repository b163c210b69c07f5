-- Purpose: set aside events of the outbox that cannot be read, so that they do not stop the others.
-- Parameters: batch = { "ids": [text, …], "detail": why }. Returns: one row: buried. Locks: the rows.
-- Invariant: each stands in the outbox or among the dead letters, whole.
create function public.bury_session_events(batch jsonb) returns table (buried integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.session_event_outbox o
    using jsonb_array_elements_text(tollgate.unwrap(batch) -> 'ids') i (id) where o.id = i.id::bigint
    returning o.event
  ), kept as (
    insert into tollgate.dead_letters (queue, reason, detail, payload)
    select 'session-event-outbox', 'not_readable', tollgate.unwrap(batch) ->> 'detail', jsonb_build_array(g.event)::text
    from gone g
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.bury_session_events from public, anon, authenticated;
grant execute on function public.bury_session_events to tollgate_token_api, service_role;
