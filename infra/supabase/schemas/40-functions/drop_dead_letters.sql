-- Purpose: forget dead letters that nobody wants. Parameters: selection (see select_dead_letters).
-- Returns: one row: dropped. Locks: their rows. Invariant: an operator's act alone; no service may call it.
create function public.drop_dead_letters(selection jsonb) returns table (dropped integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.dead_letters d
    where d.id in (select tollgate.select_dead_letters(tollgate.unwrap(selection)))
    returning d.id
  )
  select g.gone::integer
  from (select count(*) as gone from gone) g
  cross join lateral tollgate.record_audit(
    'cli', 'dead_letters.dropped', 'dead_letters:selection', jsonb_build_object('selection', selection, 'letters', g.gone))
$$;

revoke execute on function public.drop_dead_letters from public, anon, authenticated;
grant execute on function public.drop_dead_letters to service_role;
