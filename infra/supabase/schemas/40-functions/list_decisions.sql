-- Purpose: the decisions of an organization and its users, newest first.
-- Parameters: query = { organization_id, id? (one alone), user_id? (that user's alone), before? (seq as text), max_rows }.
-- Returns: a row a decision; effective_at null = as it was decided. Reads only.
create function public.list_decisions(query jsonb)
returns table (
  id uuid, seq text, user_id uuid, kind text, decided_at timestamptz, effective_at timestamptz, from_state text, to_state text,
  version text, reason text, observed jsonb, actor text, inputs jsonb)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(query)) as q (
    organization_id uuid, id uuid, user_id uuid, before bigint, max_rows integer);
  return query
    select d.id, d.seq::text, d.user_id, d.kind, d.decided_at, d.effective_at, d.from_state, d.to_state, d.version::text,
      d.reason, d.observed, d.actor, d.inputs
    from tollgate.quota_decisions d
    where d.organization_id = asked.organization_id
      and (asked.id is null or d.id = asked.id)
      and (asked.user_id is null or d.user_id = asked.user_id)
      and (asked.before is null or d.seq < asked.before)
    order by d.seq desc
    limit asked.max_rows;
end
$$;

revoke execute on function public.list_decisions from public, anon, authenticated;
grant execute on function public.list_decisions to tollgate_token_api, service_role;
