-- Purpose: remove events that are in the queue from the outbox. Parameters: batch = { "ids": [text, …] }.
-- Returns: one row: forgotten. Locks: the rows. Invariant: called only after the queue has confirmed.
create function public.forget_session_events(batch jsonb) returns table (forgotten integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.session_event_outbox o
    using jsonb_array_elements_text(tollgate.unwrap(batch) -> 'ids') i (id) where o.id = i.id::bigint
    returning 1
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.forget_session_events from public, anon, authenticated;
grant execute on function public.forget_session_events to tollgate_token_api, service_role;
