-- Purpose: what was decided over an organization, newest first, a page at a time. Parameters: query = { organization_id,
--   limit? (1 to 200, default 50), after? (cursor of the last row of the page before) }.
-- Returns: a row a decision; user_name null where it is the organization's own state.
-- Security definer: decisions are no rows that a tenant may read; an organization's admin and super_admin see them, anybody
--   else gets no row, as with GET /v1/organizations/{id}/decisions.
create function public.report_decisions(query jsonb)
returns table (
  id uuid, decided_at timestamptz, kind text, user_name text, from_state text, to_state text, reason text, actor text,
  observed boolean, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
begin
  if not tollgate.may_read_organization(organization) then return; end if;
  return query
    select d.id, d.decided_at, d.kind, v.user_name, d.from_state, d.to_state, d.reason, d.actor, d.observed is not null, d.seq::text
    from tollgate.quota_decisions d
    left join tollgate.visible_members(organization) v on v.user_id = d.user_id
    where d.organization_id = organization and (asked ->> 'after' is null or d.seq < (asked ->> 'after')::bigint)
    order by d.seq desc
    limit least(greatest(coalesce((asked ->> 'limit')::integer, 50), 1), 200);
end
$$;

revoke execute on function public.report_decisions from public, anon;
grant execute on function public.report_decisions to authenticated;
