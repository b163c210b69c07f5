-- Purpose: close chat sessions that are over and that nobody has ended: idle ones, and those of users who logged out and of
--   organizations that were revoked within the last ten minutes (what comes later is found when it is idle).
-- Parameters: idle_seconds, max_rows of this call. Returns: a row a reason: reason, sessions (how many were closed).
-- Locks: rows of chat_sessions; those that somebody else holds are left for the next call, so that nobody waits.
-- Invariant: a session is closed once, however many workers call and whichever of them is killed; later activity opens it
--   again (roll_up_sessions), and then it may be closed again.
create function public.close_sessions(idle_seconds integer, max_rows integer)
returns table (reason text, sessions integer)
language sql volatile security invoker set search_path = ''
as $$
  with idle as materialized (
    select s.organization_id, s.user_id, s.librechat_session_id, s.last_activity_at from public.chat_sessions s
    where s.status = 'active' and s.last_activity_at <= now() - make_interval(secs => idle_seconds)
    limit max_rows
    for update skip locked
  ), candidate as materialized (
    -- Materialized: else the planner asks session_closing about every active session before it looks for ends.
    select s.organization_id, s.user_id, s.librechat_session_id, s.last_activity_at
    from tollgate.login_sessions l
    join public.chat_sessions s on s.organization_id = l.organization_id and s.user_id = l.user_id
    where l.ended_at > now() - interval '10 minutes' and s.status = 'active' and s.last_activity_at <= l.ended_at
    union
    select s.organization_id, s.user_id, s.librechat_session_id, s.last_activity_at
    from tollgate.quota_decisions d
    join public.chat_sessions s on s.organization_id = d.organization_id
    where d.to_state = 'revoked' and d.user_id is null and d.kind = 'change'
      and d.decided_at > now() - interval '10 minutes' and s.status = 'active' and s.last_activity_at <= d.decided_at
  ), ended as materialized (
    -- Judged before the limit: a session that another login keeps open must not take the place of others.
    select s.organization_id, s.user_id, s.librechat_session_id, s.last_activity_at
    from candidate c
    cross join lateral tollgate.session_closing(
      c.organization_id, c.user_id, c.last_activity_at, make_interval(secs => idle_seconds)) x
    join public.chat_sessions s on s.organization_id = c.organization_id and s.user_id = c.user_id
      and s.librechat_session_id = c.librechat_session_id and s.last_activity_at = c.last_activity_at
    where x.at <= now() and s.status = 'active'
    limit max_rows
    for update of s skip locked
  ), held as materialized (
    select * from idle union select * from ended
  ), closed as (
    update public.chat_sessions s set closed_at = x.at, close_reason = x.reason
    from held h
    cross join lateral tollgate.session_closing(
      h.organization_id, h.user_id, h.last_activity_at, make_interval(secs => idle_seconds)) x
    where s.organization_id = h.organization_id and s.user_id = h.user_id
      and s.librechat_session_id = h.librechat_session_id and x.at <= now()
    returning s.close_reason
  )
  select c.close_reason, count(*)::integer from closed c group by c.close_reason
$$;

revoke execute on function public.close_sessions from public, anon, authenticated;
grant execute on function public.close_sessions to tollgate_usage_worker, service_role;
