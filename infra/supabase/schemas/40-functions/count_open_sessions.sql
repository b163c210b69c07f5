-- Purpose: how many chat sessions of an organization are, or were, open at a time. Parameters: query = { organization_id,
--   at? (without it: now, by an index of its own), user_id? (null: of everybody) }.
-- Returns: one row: open. Reads only. Invariant: an end that came before its start, or usage before it, changes nothing.
create function public.count_open_sessions(query jsonb) returns table (open integer)
language sql stable security invoker set search_path = ''
as $$
  with asked as materialized (
    select q.* from jsonb_to_record(tollgate.unwrap(query)) as q (organization_id uuid, at timestamptz, user_id uuid)
  )
  select case when a.at is null then (
      select count(*)::integer from public.chat_sessions s
      where s.organization_id = a.organization_id and s.status = 'active' and (a.user_id is null or s.user_id = a.user_id))
    else (
      select count(*)::integer from public.chat_sessions s
      where s.organization_id = a.organization_id and s.started_at <= a.at and coalesce(s.ended_at, 'infinity') > a.at
        and (a.user_id is null or s.user_id = a.user_id)) end
  from asked a
$$;

revoke execute on function public.count_open_sessions from public, anon, authenticated;
grant execute on function public.count_open_sessions to tollgate_token_api, service_role;
