-- Purpose: start login sessions, each with all that its tokens say of the user.
-- Parameters: batch = { "logins": [{ session_id, user_id, kind, supabase_session_id?, user_agent?, issued_at,
--   access_expires_at, ends_at?, refresh_hash? (64 hex digits), refresh_expires_at?, observe? (refuse nobody for an
--   enforcement state), actor? (a key that the token is issued to: goes into the audit trail) }] }; ids differ.
-- Returns: a row a login whose user is known and has an organization: session_id, login (a row of find_login), signed_out
--   (the Supabase session is gone: nothing was started). For a revoked organization nothing is started either. Started
--   again with the same id, a session is only prolonged; one that has ended meanwhile counts as signed out.
-- Locks: the rows, in the order of their ids. Invariant: row and login.started event are one transaction, and the answer
--   comes after it.
create function public.start_logins(batch jsonb) returns table (session_id uuid, login jsonb, signed_out boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked uuid[] := array(select (l ->> 'session_id')::uuid from jsonb_array_elements(tollgate.unwrap(batch) -> 'logins') l);
  -- By an array, not a subquery: each is one look into the index, whatever the planner takes the table's size to be.
  known uuid[] := array(select s.id from tollgate.login_sessions s where s.id = any(asked));
  started tollgate.login_sessions[];
begin
  return query
  with found as materialized (
    select l.*, to_jsonb(f) as login, f.organization_id as organization, f.state,
      tollgate.supabase_session_is_gone(l.supabase_session_id, l.user_id) as gone
    from jsonb_to_recordset(tollgate.unwrap(batch) -> 'logins') as l (
      session_id uuid, user_id uuid, kind text, supabase_session_id uuid, user_agent text, issued_at timestamptz,
      access_expires_at timestamptz, ends_at timestamptz, refresh_hash text, refresh_expires_at timestamptz,
      observe boolean)
    cross join lateral public.find_login(l.user_id) f
  ), written as (
    insert into tollgate.login_sessions as held (id, organization_id, user_id, started_at, expires_at, kind, supabase_session_id,
      role, user_agent, last_used_at, access_expires_at, ends_at, refresh_hash, refresh_issued_at, refresh_expires_at)
    select f.session_id, f.organization, f.user_id, f.issued_at, greatest(f.access_expires_at, f.refresh_expires_at),
      f.kind, f.supabase_session_id, f.login ->> 'role', f.user_agent, f.issued_at, f.access_expires_at, f.ends_at,
      decode(f.refresh_hash, 'hex'), case when f.refresh_hash is not null then f.issued_at end, f.refresh_expires_at
    from found f where not f.gone and (f.state <> 'revoked' or f.observe)
    order by f.session_id
    on conflict (id) do update set access_expires_at = greatest(held.access_expires_at, excluded.access_expires_at),
      expires_at = greatest(held.expires_at, excluded.expires_at),
      role = case when tollgate.role_rank(excluded.role) > tollgate.role_rank(held.role) then excluded.role else held.role end
      where held.ended_at is null and held.user_id = excluded.user_id and held.organization_id = excluded.organization_id
    returning held.id
  )
  select f.session_id, f.login, f.gone or (f.session_id = any(known) and (f.state <> 'revoked' or coalesce(f.observe, false))
    and not exists (select from written w where w.id = f.session_id))
  from found f;

  started := array(select s from tollgate.login_sessions s where s.id = any(asked) and s.id <> all(known));
  perform tollgate.announce_logins(started, 'login.started');
  perform tollgate.record_audit(l.actor, 'access_token.issued', 'user:' || s.user_id,
    jsonb_build_object('session_id', s.id, 'expires_at', s.access_expires_at), s.organization_id)
  from unnest(started) s
  join jsonb_to_recordset(tollgate.unwrap(batch) -> 'logins') as l (session_id uuid, actor text) on l.session_id = s.id
  where l.actor is not null;
end
$$;

revoke execute on function public.start_logins from public, anon, authenticated;
grant execute on function public.start_logins to tollgate_token_api, service_role;
