-- Purpose: take back what was issued: a login session, all of a user, or one access token.
-- Parameters: request = { actor, reason, session_id? | user_id? | token?: { jti, sid, user_id, organization_id, expires_at },
--   of_user? and of_organization? (what belongs to somebody else is left alone) }.
-- Returns: one row: revoked (what gates must refuse: [{ kind, id, expires_at }]), ended (login sessions that were open),
--   deaf_ms (how long a gate that reads Postgres alone may go on with what it read before; 0: there is none).
-- Locks: the gate's shared advisory lock, then sessions in the order of their ids. Invariant: whatever is no logout is in
--   the audit trail; a repeated call gives the same `revoked`.
create function public.revoke_logins(request jsonb) returns table (revoked jsonb, ended integer, deaf_ms integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(request);
  token jsonb := asked -> 'token';
  ids uuid[];
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.gate'));
  if token is null then
    select array_agg(s.id order by s.id), count(*) filter (where s.ended_at is null) into ids, ended
    from tollgate.login_sessions s
    where (s.id = (asked ->> 'session_id')::uuid or s.user_id = (asked ->> 'user_id')::uuid)
      and (s.ended_at is null or s.access_expires_at > now() - interval '10 minutes')
      and (asked ->> 'of_user' is null or s.user_id = (asked ->> 'of_user')::uuid)
      and (asked ->> 'of_organization' is null or s.organization_id = (asked ->> 'of_organization')::uuid);
    revoked := tollgate.end_logins(coalesce(ids, '{}'), asked ->> 'reason');
  else
    insert into tollgate.token_revocations as r (kind, id, expires_at)
    values ('jti', (token ->> 'jti')::uuid,
      greatest(to_timestamp((token ->> 'expires_at')::float), now()) + interval '10 minutes') -- as in end_logins
    on conflict do nothing;
    select jsonb_build_array(jsonb_build_object('kind', r.kind, 'id', r.id, 'expires_at', extract(epoch from r.expires_at)::bigint))
    into revoked from tollgate.token_revocations r where r.kind = 'jti' and r.id = (token ->> 'jti')::uuid;
    ended := 0;
  end if;
  if asked ->> 'reason' <> 'logout' and (ended > 0 or token is not null) then
    perform tollgate.record_audit(asked ->> 'actor',
      case when token is null then 'login_sessions.ended' else 'access_token.revoked' end,
      coalesce('login_session:' || (asked ->> 'session_id'), 'user:' || (asked ->> 'user_id'), 'token:' || (token ->> 'jti')),
      jsonb_build_object('reason', asked ->> 'reason', 'ended', ended),
      coalesce((token ->> 'organization_id')::uuid,
        (select s.organization_id from tollgate.login_sessions s where s.id = ids[1])));
  end if;
  -- A gate may have registered only before this transaction got its lock, or after its commit.
  select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer into deaf_ms
  from tollgate.deaf_gates g where g.leased_until > clock_timestamp();
  return next;
end
$$;

revoke execute on function public.revoke_logins from public, anon, authenticated;
grant execute on function public.revoke_logins to tollgate_token_api, service_role;
