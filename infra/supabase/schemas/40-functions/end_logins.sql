-- Purpose: end login sessions: on record, announced, and refused by every gate that reads after the commit.
-- Parameters: ids, reason. Returns: what gates must refuse: jsonb array of { kind, id, expires_at }.
-- Locks: the gate's shared advisory lock (a deaf gate registers under the exclusive one: either it is seen here, or it
--   reads what is written here), then the sessions in the order of their ids.
-- Invariant: a session that has ended stays as it is, but is returned as long as one of its access tokens could live, so
--   that a repeated call tells the gates again.
create function tollgate.end_logins(ids uuid[], reason text) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  ended tollgate.login_sessions[];
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.gate'));
  perform from tollgate.login_sessions s where s.id = any(ids) order by s.id for update;
  with updated as (
    update tollgate.login_sessions s set ended_at = now(), end_reason = end_logins.reason
    where s.id = any(ids) and s.ended_at is null
    returning s as session
  )
  select array_agg(u.session) into ended from updated u;
  perform tollgate.announce_logins(ended, 'login.ended');
  -- Ten minutes more than the token, by our clock: an instance whose clock is behind takes it for longer, one whose clock is
  -- ahead forgets the revocation earlier. Beyond that its events would be refused as well.
  insert into tollgate.token_revocations as r (kind, id, expires_at)
  select 'sid', s.id, greatest(s.access_expires_at, now()) + interval '10 minutes'
  from tollgate.login_sessions s where s.id = any(ids) and s.access_expires_at > now() - interval '10 minutes'
  order by s.id
  on conflict (kind, id) do update set expires_at = greatest(r.expires_at, excluded.expires_at)
    where excluded.expires_at > r.expires_at;
  return coalesce((
    select jsonb_agg(jsonb_build_object('kind', r.kind, 'id', r.id, 'expires_at', extract(epoch from r.expires_at)::bigint))
    from tollgate.token_revocations r where r.kind = 'sid' and r.id = any(ids)), '[]');
end
$$;

grant execute on function tollgate.end_logins to tollgate_token_api, service_role;
