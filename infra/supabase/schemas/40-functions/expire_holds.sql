-- Purpose: give back the holds of some organizations whose lease has run out. Parameters: organizations, whose holds the
--   caller has locked; max_rows. Returns: how many were given back.
-- Locks: none of its own beside the rows that it changes. Invariant: a hold is given back once: whoever ends one has the lock.
create function tollgate.expire_holds(organizations uuid[], max_rows integer) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  due uuid[] := array(
    select d.id from tollgate.reservations d
    where d.organization_id = any(organizations) and d.state in ('held', 'committing')
      and d.expires_at <= now() and tollgate.is_due_hold(d.state, d.expires_at)
    limit max_rows);
begin
  if cardinality(due) = 0 then return 0; end if;
  with gone as (
    -- By id alone: with the state in the condition all open holds would be looked through.
    update tollgate.reservations r set state = 'expired', ended_at = now() where r.id = any(due)
    returning r.organization_id, r.total_tokens
  )
  update tollgate.reserved_totals t
  set reserved_tokens = t.reserved_tokens - g.total_tokens, updated_at = now()
  from (select organization_id, sum(total_tokens) as total_tokens from gone group by organization_id) g
  where t.organization_id = g.organization_id;
  return cardinality(due);
end
$$;

grant execute on function tollgate.expire_holds to tollgate_token_api, tollgate_quota_enforcer, service_role;
