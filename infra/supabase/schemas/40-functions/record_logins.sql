-- Purpose: keep login sessions (`sid`). Parameters: judged events of type login.started, login.refreshed and login.ended. Returns: nothing.
-- Locks: rows of login_sessions in the order of their id. Invariant: commutative and repeatable: a login.started that
--   comes twice or after its login.ended gives the same row.
create function tollgate.record_logins(logins tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.login_sessions as t (id, organization_id, user_id, started_at, expires_at, ended_at, end_reason)
  select
    l.login_session_id, l.organization_id, l.user_id,
    min(l.time) filter (where l.type = 'login.started'), max(l.expires_at),
    min(l.time) filter (where l.type = 'login.ended'),
    (array_agg(l.end_reason order by l.time) filter (where l.type = 'login.ended'))[1]
  from unnest(logins) l
  group by l.login_session_id, l.organization_id, l.user_id
  order by l.login_session_id
  on conflict (id) do update set
    started_at = least(t.started_at, excluded.started_at),
    expires_at = greatest(t.expires_at, excluded.expires_at),
    end_reason = case when t.ended_at is null or excluded.ended_at < t.ended_at
      then coalesce(excluded.end_reason, t.end_reason) else t.end_reason end,
    ended_at = least(t.ended_at, excluded.ended_at)
$$;

grant execute on function tollgate.record_logins to tollgate_usage_worker, service_role;
