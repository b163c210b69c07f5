-- Purpose: what was decided over an organization, newest first, a page at a time. Parameters: query = { organization_id,
--   limit? (1 to 200, default 50), after? (cursor of the last row of the page before) }.
-- Returns: a row a decision; user_id null where it is the organization's own state; user_name and actor_name null for whoever
--   is no member that the caller sees; effective_at: since when what was taken away was over, where it had lapsed with its
--   period before this was decided (null: as it was decided); inputs: what it was decided from, as the API's `inputs`; withheld: what a step would
--   have done that has no effect (null: nothing), observed: whether there is such a step.
-- Security definer: decisions are no rows that a tenant may read; an organization's admin and super_admin see them, anybody
--   else gets no row, as with GET /v1/organizations/{id}/decisions.
create function public.report_decisions(query jsonb)
returns table (
  id uuid, decided_at timestamptz, effective_at timestamptz, kind text, user_id uuid, user_name text, from_state text, to_state text, reason text,
  actor text, actor_name text, observed boolean, withheld jsonb, inputs jsonb, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
begin
  if not tollgate.may_read_organization(organization) then return; end if;
  return query
    with member as materialized (
      select v.user_id, v.user_name from tollgate.visible_members(organization) v
    )
    select d.id, d.decided_at, d.effective_at, d.kind, d.user_id, u.user_name, d.from_state, d.to_state, d.reason, d.actor, a.user_name,
      d.observed is not null, d.observed, d.inputs, d.seq::text
    from tollgate.quota_decisions d
    left join member u on u.user_id = d.user_id
    left join member a on 'user:' || a.user_id = d.actor
    where d.organization_id = organization and (asked ->> 'after' is null or d.seq < (asked ->> 'after')::bigint)
    order by d.seq desc
    limit least(greatest(coalesce((asked ->> 'limit')::integer, 50), 1), 200);
end
$$;

revoke execute on function public.report_decisions from public, anon;
grant execute on function public.report_decisions to authenticated;
