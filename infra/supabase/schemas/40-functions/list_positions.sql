-- Purpose: where organizations stand, for the copy that the gates show. Parameters: query = { organizations: [id, …] } or
--   { after: id (null: from the first), max_rows }, in the order of their ids.
-- Returns: a row an organization; limit_tokens null = unlimited; evaluate_at: the total at which a decision could change next
--   (null: none). Reads only, all rows of one instant (as_of).
create function public.list_positions(query jsonb)
returns table (
  organization_id uuid, limit_tokens text, used_tokens text, reserved_tokens text, period_start timestamptz,
  period_end timestamptz, evaluate_at text, as_of timestamptz)
language plpgsql stable security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  ids uuid[] := case
    when asked ? 'organizations' then array(select e.id::uuid from jsonb_array_elements_text(asked -> 'organizations') e (id))
    else array(
      select o.organization_id from tollgate.directory_organizations o
      where asked ->> 'after' is null or o.organization_id > (asked ->> 'after')::uuid
      order by o.organization_id limit (asked ->> 'max_rows')::integer) end;
begin
  return query
    select p.organization_id, p.limit_tokens::text, p.used_tokens::text, p.reserved_tokens::text, p.period_start,
      p.period_end, p.evaluate_at::text, statement_timestamp()
    from tollgate.positions_of(ids) p order by p.organization_id;
end
$$;

revoke execute on function public.list_positions from public, anon, authenticated;
grant execute on function public.list_positions to tollgate_token_api, tollgate_quota_enforcer, service_role;
