-- Purpose: give back holds whose lease has run out, of organizations that ask for none meanwhile. Parameters: max_rows.
-- Returns: one row: expired (holds), organizations (their ids). Locks: reserved_totals of the organizations, sorted.
-- Invariant: a hold is given back once, however many call this.
create function public.expire_reservations(max_rows integer) returns table (expired integer, organizations uuid[])
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
begin
  organizations := array(
    select t.organization_id from tollgate.reserved_totals t
    where t.reserved_tokens > 0 and exists (
      select from tollgate.reservations r
      where r.organization_id = t.organization_id and r.state in ('held', 'committing')
        and r.expires_at <= now() and tollgate.is_due_hold(r.state, r.expires_at))
    order by t.organization_id limit 100);
  perform tollgate.lock_holds(organizations);
  expired := tollgate.expire_holds(organizations, max_rows, true);
  return next;
end
$$;

revoke execute on function public.expire_reservations from public, anon, authenticated;
grant execute on function public.expire_reservations to tollgate_quota_enforcer, service_role;
