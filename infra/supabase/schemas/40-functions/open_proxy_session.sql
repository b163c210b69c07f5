-- Purpose: use a handoff, once: open the session that a browser gets for it at the proxy in front of LibreChat.
-- Parameters: opening = { session_hash, presented_hash (null: no cookie came along) as 64 hex digits, handoff_id,
--   access_token_id? (of the access token that stands in for a handoff), login_session_id, user_id, organization_id,
--   domain (or id, as the URL's `org` says), expires_at }.
-- Returns: one row: outcome = opened | repeated (used before, by the session that presents itself: nothing changes) |
--   replayed (used before, by another: that session has ended now) | wrong_organization (nothing is used), and
--   login_session_id, the one that the handoff stands for.
-- Locks: the session of the handoff. Invariant: of any number of uses exactly one opens a session, since the insert is the
--   consumption; sessions that expired a day ago go, twenty at a time, and their handoffs have expired with them.
create function public.open_proxy_session(opening jsonb) returns table (outcome text, login_session_id uuid)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  wanted record;
  held tollgate.proxy_sessions;
begin
  select * into wanted from jsonb_to_record(tollgate.unwrap(opening)) as o (
    session_hash text, presented_hash text, handoff_id uuid, access_token_id uuid, login_session_id uuid, user_id uuid,
    organization_id uuid, domain text, expires_at timestamptz);
  login_session_id := wanted.login_session_id;

  if not exists (
    select from tollgate.directory_members m
    join tollgate.directory_organizations o on o.organization_id = m.organization_id
    where m.user_id = wanted.user_id and o.organization_id = wanted.organization_id
      and lower(wanted.domain) in (lower(o.domain), o.organization_id::text))
  then
    outcome := 'wrong_organization';
    return next;
    return;
  end if;

  delete from tollgate.proxy_sessions s where s.id_hash in (
    select e.id_hash from tollgate.proxy_sessions e where e.expires_at < now() - interval '1 day'
    order by e.id_hash limit 20 for update skip locked);

  insert into tollgate.proxy_sessions (
    id_hash, handoff_id, access_token_id, login_session_id, organization_id, user_id, expires_at)
  values (decode(wanted.session_hash, 'hex'), wanted.handoff_id, wanted.access_token_id, wanted.login_session_id,
    wanted.organization_id, wanted.user_id, wanted.expires_at)
  on conflict (handoff_id) do nothing
  returning * into held;
  if held.id_hash is not null then
    outcome := 'opened';
    return next;
    return;
  end if;

  select * into held from tollgate.proxy_sessions s where s.handoff_id = wanted.handoff_id for update;
  if held.id_hash = decode(wanted.presented_hash, 'hex') and held.ended_at is null then
    outcome := 'repeated';
  else
    update tollgate.proxy_sessions s set ended_at = now(), end_reason = 'handoff_replayed'
    where s.handoff_id = wanted.handoff_id and s.ended_at is null;
    outcome := 'replayed';
  end if;
  return next;
end
$$;

revoke execute on function public.open_proxy_session from public, anon, authenticated;
grant execute on function public.open_proxy_session to tollgate_token_api, service_role;
