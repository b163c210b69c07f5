-- Purpose: report_sessions for the token API. Parameters: query as of report_sessions, and viewer_user_id (who asks and sees
--   the own sessions alone; null: sees the whole organization). Returns: as report_sessions.
-- Invariant: as list_usage: the caller has settled who asks, and runs with the rights of the token API.
create function public.list_chat_sessions(query jsonb)
returns table (
  librechat_session_id text, user_id uuid, user_name text, model_used text, status text, started_at timestamptz,
  last_activity_at timestamptz, ended_at timestamptz, end_reason text, message_count text, tokens_used text, cost_usd text,
  unpriced_events text, cursor text)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  viewer text := asked ->> 'viewer_user_id';
begin
  if viewer is not null and viewer <> coalesce(asked ->> 'user_id', viewer) then return; end if;
  return query
    select s.librechat_session_id, s.user_id, coalesce(nullif(m.full_name, ''), m.email), s.model_used, s.status,
      s.started_at, s.last_activity_at, s.ended_at, s.end_reason, s.message_count, s.tokens_used, s.cost_usd,
      s.unpriced_events, s.cursor
    from tollgate.select_sessions(
      case when viewer is null then asked else asked || jsonb_build_object('user_id', viewer) end) s
    left join tollgate.directory_members m on m.user_id = s.user_id
      and m.organization_id = (asked ->> 'organization_id')::uuid
    order by s.started_at desc, s.user_id || ' ' || s.librechat_session_id desc;
end
$$;

revoke execute on function public.list_chat_sessions from public, anon, authenticated;
grant execute on function public.list_chat_sessions to tollgate_token_api, service_role;
