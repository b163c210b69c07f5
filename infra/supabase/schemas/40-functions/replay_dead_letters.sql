-- Purpose: hand dead letters to the workers again, through the inbox. Parameters: selection (see select_dead_letters).
-- Returns: one row: replayed (letters), events, unreadable: jsonb array of ids (text) that hold no events and stay.
-- Locks: dead letters in the order of their id. Invariant: a letter is either kept or in the inbox; a row of the inbox
--   an event, so that one that fails again stands alone; an event that was counted meanwhile is a duplicate.
create function public.replay_dead_letters(selection jsonb)
returns table (replayed integer, events integer, unreadable jsonb)
language sql volatile security invoker set search_path = ''
as $$
  with chosen as materialized (
    select d.id, tollgate.read_dead_letter(d.payload) as events
    from tollgate.dead_letters d
    where d.id in (select tollgate.select_dead_letters(tollgate.unwrap(selection)))
    order by d.id for update
  ), parked as (
    insert into tollgate.event_inbox (events)
    select jsonb_build_array(e.event) from chosen c cross join lateral jsonb_array_elements(c.events) e (event)
    returning id
  ), taken as (
    delete from tollgate.dead_letters d using chosen c where d.id = c.id and c.events is not null returning d.id
  )
  select t.taken::integer, (select count(*) from parked)::integer,
    coalesce((select jsonb_agg(c.id::text order by c.id) from chosen c where c.events is null), '[]')
  from (select count(*) as taken from taken) t
  cross join lateral tollgate.record_audit(
    'cli', 'dead_letters.replayed', 'dead_letters:selection', jsonb_build_object('selection', selection, 'letters', t.taken))
$$;

revoke execute on function public.replay_dead_letters from public, anon, authenticated;
grant execute on function public.replay_dead_letters to service_role;
