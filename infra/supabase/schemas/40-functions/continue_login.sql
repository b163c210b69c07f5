-- Purpose: go on with a login session: rotate its refresh token, or (without one) renew for a holder whom the token API
--   itself vouches for, such as the proxy's cookie.
-- Parameters: attempt = { session_id, access_expires_at, refresh?: { hash, next_hash (64 hex digits each), issued_at,
--   expires_at, grace_seconds }, observe? (refuse nobody for an enforcement state) }.
-- Returns: one row: outcome; login (a row of find_login, where the outcome is one of the first three); generation,
--   refresh_issued_at and refresh_expires_at of the refresh token that now holds, ends_at; revoked and deaf_ms as of revoke_logins.
--   continued: rotated or renewed. repeated: the predecessor came once more within the grace: the same successor holds.
--   organization_revoked: nothing was changed, it may be tried again later.
--   reused: an older token came; the session has ended. ended, expired: it is over. unknown: never was.
-- Locks: the gate's shared advisory lock where a session ends, then the session. Invariant: one token has one successor;
--   an end is committed before it is answered.
create function public.continue_login(attempt jsonb)
returns table (
  outcome text, login jsonb, user_id uuid, generation integer, refresh_issued_at timestamptz,
  refresh_expires_at timestamptz, ends_at timestamptz, revoked jsonb,
  deaf_ms integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(attempt);
  refresh jsonb := asked -> 'refresh';
  shown bytea := decode(refresh ->> 'hash', 'hex');
  held tollgate.login_sessions;
  fault text;
  is_repeat boolean;
begin
  -- The order of end_logins: the advisory lock comes first.
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.gate'));
  select * into held from tollgate.login_sessions s where s.id = (asked ->> 'session_id')::uuid for update;
  is_repeat := coalesce(held.previous_refresh_hash = shown
    and held.rotated_at > clock_timestamp() - make_interval(secs => (refresh ->> 'grace_seconds')::float), false);
  revoked := '[]';
  user_id := held.user_id;
  if held.id is null then
    outcome := 'unknown';
  elsif held.ended_at is not null then
    outcome := 'ended';
    revoked := tollgate.end_logins(array[held.id], held.end_reason);
  elsif held.ends_at <= now() or (refresh is not null and held.refresh_expires_at <= now()) then
    outcome := 'expired';
  elsif refresh is not null and held.refresh_hash is distinct from shown and not is_repeat then
    outcome := 'reused';
    revoked := tollgate.end_logins(array[held.id], 'refresh_reused');
  else
    fault := tollgate.login_fault(held);
    if fault is not null then
      outcome := 'ended';
      revoked := tollgate.end_logins(array[held.id], fault);
    else
      select to_jsonb(f) into login from public.find_login(held.user_id) f;
      outcome := case when login ->> 'state' = 'revoked' and not coalesce((asked ->> 'observe')::boolean, false)
        then 'organization_revoked'
        when is_repeat then 'repeated' else 'continued' end;
    end if;
  end if;

  if outcome in ('continued', 'repeated') then
    update tollgate.login_sessions s set
      last_used_at = now(),
      role = case when tollgate.role_rank(login ->> 'role') > tollgate.role_rank(s.role) then login ->> 'role'
        else s.role end,
      access_expires_at = greatest(s.access_expires_at, (asked ->> 'access_expires_at')::timestamptz),
      generation = s.generation + case when refresh is null or is_repeat then 0 else 1 end
    where s.id = held.id returning s.* into held;
    if refresh is not null and not is_repeat then
      update tollgate.login_sessions s set
        previous_refresh_hash = s.refresh_hash, refresh_hash = decode(refresh ->> 'next_hash', 'hex'),
        refresh_issued_at = (refresh ->> 'issued_at')::timestamptz,
        refresh_expires_at = (refresh ->> 'expires_at')::timestamptz, rotated_at = clock_timestamp()
      where s.id = held.id returning s.* into held;
    end if;
    update tollgate.login_sessions s set expires_at = greatest(s.expires_at, s.access_expires_at, s.refresh_expires_at)
    where s.id = held.id returning s.* into held;
    if not is_repeat then perform tollgate.announce_logins(array[held], 'login.refreshed'); end if;
  end if;
  generation := held.generation; refresh_issued_at := held.refresh_issued_at;
  refresh_expires_at := held.refresh_expires_at; ends_at := held.ends_at;
  select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer into deaf_ms
  from tollgate.deaf_gates g where g.leased_until > clock_timestamp();
  return next;
end
$$;

revoke execute on function public.continue_login from public, anon, authenticated;
grant execute on function public.continue_login to tollgate_token_api, service_role;
