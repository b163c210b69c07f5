-- Purpose: read the audit trail, newest first. Parameters: query = { organization_id (absent: all), action, actor, target
--   (absent: any), before (id as text, absent: from the newest), max_rows }. Returns: a row an entry. Reads only.
create function public.list_audit(query jsonb)
returns table (id text, at timestamptz, actor text, action text, target text, organization_id uuid, details jsonb)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(query)) as q (
    organization_id uuid, action text, actor text, target text, before bigint, max_rows integer);
  return query
    select l.id::text, l.at, l.actor, l.action, l.target, l.organization_id, l.details
    from tollgate.audit_log l
    where (asked.organization_id is null or l.organization_id = asked.organization_id)
      and (asked.action is null or l.action = asked.action)
      and (asked.actor is null or l.actor = asked.actor)
      and (asked.target is null or l.target = asked.target)
      and (asked.before is null or l.id < asked.before)
    order by l.id desc
    limit asked.max_rows;
end
$$;

revoke execute on function public.list_audit from public, anon, authenticated;
grant execute on function public.list_audit to tollgate_token_api, service_role;
