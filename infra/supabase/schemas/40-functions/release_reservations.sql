-- Purpose: give holds back whose calls were not made. Parameters: batch = { "releases": [{ id, organization_id (of the key;
--   absent: any) }, …] }.
-- Returns: a row a release: i (0-based), outcome (released: also one that ended without usage before | closed: its usage
--   was accepted | unknown), state, organization_id.
-- Locks: reserved_totals of the holds' organizations, sorted. Invariant: a hold is given back once.
create function public.release_reservations(batch jsonb) returns table (i integer, outcome text, state text, organization_id uuid)
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  releases jsonb := tollgate.unwrap(batch) -> 'releases';
begin
  perform tollgate.lock_holds(array(
    select distinct r.organization_id from jsonb_array_elements(releases) e
    join tollgate.reservations r on r.id = (e.value ->> 'id')::uuid));

  with gone as (
    update tollgate.reservations r set state = 'released', ended_at = now()
    from (select distinct (e.value ->> 'id')::uuid as id, (e.value ->> 'organization_id')::uuid as key_organization_id
      from jsonb_array_elements(releases) e) a
    where r.id = a.id and r.state = 'held' and r.organization_id = coalesce(a.key_organization_id, r.organization_id)
    returning r.organization_id, r.total_tokens
  )
  update tollgate.reserved_totals t
  set reserved_tokens = t.reserved_tokens - g.total_tokens, updated_at = now()
  from (select organization_id, sum(total_tokens) as total_tokens from gone group by organization_id) g
  where t.organization_id = g.organization_id;

  return query
    select e.ordinality::integer - 1,
      case
        when r.id is null then 'unknown' when r.state in ('released', 'expired') and not r.is_late then 'released'
        else 'closed' end,
      r.state, r.organization_id
    from jsonb_array_elements(releases) with ordinality e
    left join tollgate.reservations r on r.id = (e.value ->> 'id')::uuid
      and r.organization_id = coalesce((e.value ->> 'organization_id')::uuid, r.organization_id)
    order by e.ordinality;
end
$$;

revoke execute on function public.release_reservations from public, anon, authenticated;
grant execute on function public.release_reservations to tollgate_token_api, service_role;
