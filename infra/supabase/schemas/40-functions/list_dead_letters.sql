-- Purpose: show what could not be recorded. Parameters: selection (see select_dead_letters), max_rows.
-- Returns: a row a letter, newest first: id as text, events (null when unreadable) and what is kept of it. Reads only.
create function public.list_dead_letters(selection jsonb, max_rows integer)
returns table (id text, queue text, reason text, detail text, created_at timestamptz, events integer, payload text)
language sql stable security invoker set search_path = ''
as $$
  select d.id::text, d.queue, d.reason, d.detail, d.created_at,
    jsonb_array_length(tollgate.read_dead_letter(d.payload)), d.payload
  from tollgate.dead_letters d
  where d.id in (select tollgate.select_dead_letters(tollgate.unwrap(selection)))
  order by d.id desc
  limit max_rows
$$;

revoke execute on function public.list_dead_letters from public, anon, authenticated;
grant execute on function public.list_dead_letters to service_role;
