-- Purpose: take usage events that settle holds, on disk, in one transaction with the end of their leases: a hold whose
--   usage was accepted waits for the ledger and is never given back before.
-- Parameters: batch = { "commits": [{ reservation_id, strict, organization_id (of the key; absent: any), event }, …] };
--   event is an AcceptedEvent with reservation_id. strict: refuse what does not fit the hold; else take every event.
-- Returns: a row a commit: i (0-based), outcome (accepted | late: the hold had been given back | repeated: this event was
--   taken before | unknown | mismatch: other organization, user or session | closed: another event settles it), state.
-- Locks: reserved_totals of the organizations, sorted. Invariant: an event is parked in the inbox exactly when it is
--   accepted here, so nothing is committing without its event, and no event is accepted without its lease stopped.
create function public.commit_reservations(batch jsonb) returns table (i integer, outcome text, state text)
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  commits jsonb := tollgate.unwrap(batch) -> 'commits';
  claimed uuid[];
begin
  perform tollgate.lock_holds(array(
    select distinct (c ->> 'organization_id')::uuid from jsonb_path_query(commits, '$[*].event') c));

  with first as (
    select distinct on (c.reservation_id) c.*
    from tollgate.read_commits(commits) c order by c.reservation_id, c.ordinal
  ), claim as (
    update tollgate.reservations r set
      event_digest = f.digest, state = case r.state when 'held' then 'committing' else r.state end
    from first f
    where r.id = f.reservation_id and r.event_digest is null and r.state in ('held', 'released', 'expired')
      and (r.organization_id, r.user_id, r.session_id) = (f.organization_id, f.user_id, f.session_id)
      and (f.key_organization_id is null or f.key_organization_id = r.organization_id)
    returning r.id
  )
  select array_agg(id) into claimed from claim;

  return query
    with judged as materialized (
      select c.*, r.state as hold_state,
        case
          when r.id is null or r.organization_id <> coalesce(c.key_organization_id, r.organization_id) then 'unknown'
          when (r.organization_id, r.user_id, r.session_id) <> (c.organization_id, c.user_id, c.session_id) then 'mismatch'
          when r.event_digest is distinct from c.digest then 'closed'
          when r.id <> all(coalesce(claimed, '{}')) then 'repeated'
          when r.state in ('released', 'expired') then 'late'
          else 'accepted' end as verdict
      from tollgate.read_commits(commits) c
      left join tollgate.reservations r on r.id = c.reservation_id
    ), parked as (
      insert into tollgate.event_inbox (events)
      select jsonb_agg(j.event order by j.ordinal) from judged j
      where j.verdict in ('accepted', 'late') or (not j.strict and j.verdict <> 'repeated')
      having count(*) > 0
    )
    select j.ordinal - 1, j.verdict, j.hold_state from judged j order by j.ordinal;
end
$$;

revoke execute on function public.commit_reservations from public, anon, authenticated;
grant execute on function public.commit_reservations to tollgate_token_api, service_role;
