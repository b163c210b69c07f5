-- Purpose: give back the holds of some organizations whose lease has run out. Parameters: organizations, whose holds the
--   caller has locked; max_rows; anew (true: also those that had run out when their organization's were given back last).
-- Returns: how many were given back.
-- Locks: none of its own beside the rows that it changes. Invariant: a hold is given back once: whoever ends one has the lock.
--   What had run out by `expired_upto` is not looked for each time: the index keeps entries of what has ended until it is
--   vacuumed, and in a busy hour those are many. Only a clock that is set back leaves a hold behind it, for expire_reservations.
create function tollgate.expire_holds(organizations uuid[], max_rows integer, anew boolean default false) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  due uuid[] := array(
    select d.id
    from tollgate.reserved_totals t
    cross join lateral tollgate.due_holds(t.organization_id, case when anew then '-infinity' else t.expired_upto end, max_rows) d
    where t.organization_id = any(organizations)
    limit max_rows);
begin
  if cardinality(due) = 0 then return 0; end if;
  with gone as (
    -- By id alone: with the state in the condition all open holds would be looked through.
    update tollgate.reservations r set state = 'expired', ended_at = now() where r.id = any(due)
    returning r.organization_id, r.total_tokens
  )
  update tollgate.reserved_totals t
  set reserved_tokens = t.reserved_tokens - g.total_tokens, updated_at = now(),
    expired_upto = case when cardinality(due) < max_rows then greatest(t.expired_upto, now()) else t.expired_upto end
  from (select organization_id, sum(total_tokens) as total_tokens from gone group by organization_id) g
  where t.organization_id = g.organization_id;
  return cardinality(due);
end
$$;

grant execute on function tollgate.expire_holds to tollgate_token_api, tollgate_quota_enforcer, service_role;
