-- Purpose: compare the totals of open holds with the holds themselves, a slice of organizations at a time, and put right
--   what differs by setting it. Parameters: after_organization (null: from the first), max_rows.
-- Returns: one row: last_organization (null: there is none further), drift_tokens (sum of the differences, as text), repaired
--   (organizations). Locks: reserved_totals of the slice, sorted. Invariant: a total is set, never incremented here.
create function public.audit_reserved(after_organization uuid, max_rows integer)
returns table (last_organization uuid, drift_tokens text, repaired integer)
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
declare
  slice uuid[] := array(
    select t.organization_id from tollgate.reserved_totals t
    where after_organization is null or t.organization_id > after_organization
    order by t.organization_id limit max_rows);
begin
  perform tollgate.lock_holds(slice);
  with truth as (
    select t.organization_id, t.reserved_tokens as counted, coalesce((
      select sum(r.total_tokens) from tollgate.reservations r
      where r.organization_id = t.organization_id and r.state in ('held', 'committing')), 0)::bigint as held
    from tollgate.reserved_totals t where t.organization_id = any(slice)
  ), repair as (
    update tollgate.reserved_totals t set reserved_tokens = w.held, updated_at = now()
    from truth w where t.organization_id = w.organization_id and w.held <> w.counted
  )
  select coalesce(sum(abs(w.held - w.counted)), 0)::text, count(*) filter (where w.held <> w.counted)
  into drift_tokens, repaired from truth w;
  last_organization := case when cardinality(slice) = max_rows then slice[max_rows] end;
  return next;
end
$$;

revoke execute on function public.audit_reserved from public, anon, authenticated;
grant execute on function public.audit_reserved to tollgate_quota_enforcer, service_role;
