-- Purpose: keep what could not be recorded. Parameters: batch = { "letters": [{ queue, reason, detail, payload }] }.
-- Returns: one row: kept. Locks: none. Invariant: payload is kept as text, so that nothing is too odd to be kept.
create function public.record_dead_letters(batch jsonb) returns table (kept integer)
language sql volatile security invoker set search_path = ''
as $$
  with letter as (
    insert into tollgate.dead_letters (queue, reason, detail, payload)
    select l.queue, l.reason, l.detail, l.payload
    from jsonb_to_recordset(tollgate.unwrap(batch) -> 'letters') as l (queue text, reason text, detail text, payload text)
    returning id
  )
  select count(*)::integer from letter
$$;

revoke execute on function public.record_dead_letters from public, anon, authenticated;
grant execute on function public.record_dead_letters to tollgate_usage_worker, service_role;
