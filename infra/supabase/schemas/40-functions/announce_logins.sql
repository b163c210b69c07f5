-- Purpose: put events of login sessions into the outbox, from where the token API carries them to the queue.
-- Parameters: sessions (rows as they now are), type (login.started, login.refreshed or login.ended). Returns: nothing.
-- Locks: none. Invariant: called in the transaction that changed the rows, so that neither is without the other.
create function tollgate.announce_logins(sessions tollgate.login_sessions[], type text) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.session_event_outbox (event)
  select jsonb_strip_nulls(jsonb_build_object(
    'type', announce_logins.type,
    'source', 'tollgate/token-api',
    'id', s.id || case announce_logins.type
      when 'login.started' then '' when 'login.ended' then '.ended' else '.' || s.generation end,
    'time', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'received_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'member', true,
    'organization_id', s.organization_id,
    'user_id', s.user_id,
    'login_session_id', s.id,
    'expires_at', case when announce_logins.type <> 'login.ended'
      then to_char(s.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end,
    'reason', case when announce_logins.type = 'login.ended' then s.end_reason end))
  from unnest(sessions) s
  cross join lateral (select case announce_logins.type
    when 'login.started' then s.started_at when 'login.ended' then s.ended_at else s.last_used_at end as at) e
  order by s.id
$$;

grant execute on function tollgate.announce_logins to tollgate_token_api, service_role;
