-- Purpose: chat sessions of an organization, newest first, a page at a time, without the users' names. Parameters: query =
--   { organization_id, start, end (ISO days of the organization, end exclusive; by the session's start), user_id?, status?,
--   limit? (1 to 500, default 50), after? = the `cursor` of the last row of the page before }.
-- Returns: a row a session; counts as text; cost null where nothing of it is priced. Runs with the caller's rights.
create function tollgate.select_sessions(query jsonb)
returns table (
  librechat_session_id text, user_id uuid, model_used text, status text, started_at timestamptz,
  last_activity_at timestamptz, ended_at timestamptz, end_reason text, message_count text, tokens_used text, cost_usd text,
  unpriced_events text, cursor text)
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan set enable_sort = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  q tollgate.usage_report_query := tollgate.read_report_query(asked || '{"bucket": "total"}');
  organization uuid := (q).organization_id;
  person uuid := (q).user_id;
  after_at timestamptz := split_part(asked ->> 'after', ' ', 1)::timestamptz;
  after_id text := substr(asked ->> 'after', strpos(asked ->> 'after', ' ') + 1);
  -- Settled here: rows are found by them in the index, which a policy forbids to expressions that it cannot vouch for.
  first_at timestamptz := tollgate.report_day_start(organization, (q).start_date);
  end_at timestamptz := tollgate.report_day_start(organization, (q).end_date);
begin
  return query
    select s.librechat_session_id, s.user_id, s.model_used, s.status, s.started_at, s.last_activity_at, s.ended_at,
      s.end_reason, s.message_count::text, s.total_tokens::text,
      case when s.unpriced_events > 0 and s.cost_usd = 0 then null else s.cost_usd::text end, s.unpriced_events::text,
      to_char(s.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || ' ' || s.user_id || ' ' || s.librechat_session_id
    from public.chat_sessions s
    where s.organization_id = organization and s.started_at >= first_at and s.started_at < end_at
      and (person is null or s.user_id = person) and (asked ->> 'status' is null or s.status = asked ->> 'status')
      and (after_at is null
        or s.started_at <= after_at and (s.started_at, s.user_id || ' ' || s.librechat_session_id) < (after_at, after_id))
    order by s.started_at desc, s.user_id || ' ' || s.librechat_session_id desc
    limit least(greatest(coalesce((asked ->> 'limit')::integer, 50), 1), 500);
end
$$;

-- Purpose: chat sessions as dashboards show them. Parameters: query as of select_sessions. Returns: its rows, in its order,
--   with the users' names. Row level security decides what the caller sees.
create function public.report_sessions(query jsonb)
returns table (
  librechat_session_id text, user_id uuid, user_name text, model_used text, status text, started_at timestamptz,
  last_activity_at timestamptz, ended_at timestamptz, end_reason text, message_count text, tokens_used text, cost_usd text,
  unpriced_events text, cursor text)
language sql stable security invoker set search_path = '' set jit = off
as $$
  select s.librechat_session_id, s.user_id, v.user_name, s.model_used, s.status, s.started_at, s.last_activity_at, s.ended_at,
    s.end_reason, s.message_count, s.tokens_used, s.cost_usd, s.unpriced_events, s.cursor
  from (select tollgate.unwrap(query) as query, (tollgate.unwrap(query) ->> 'organization_id')::uuid as organization_id) a
  -- Whoever sees the own sessions alone asks for them, as in report_usage.
  cross join lateral tollgate.select_sessions(case when tollgate.may_read_organization(a.organization_id) then a.query
    else jsonb_build_object('user_id', auth.uid()) || a.query end) s
  left join lateral tollgate.visible_members(a.organization_id) v on v.user_id = s.user_id
  order by s.started_at desc, s.user_id || ' ' || s.librechat_session_id desc
$$;

grant execute on function tollgate.select_sessions to authenticated, service_role, tollgate_token_api;
revoke execute on function public.report_sessions from public, anon;
grant execute on function public.report_sessions to authenticated, service_role;
