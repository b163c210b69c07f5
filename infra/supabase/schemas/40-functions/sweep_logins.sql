-- Purpose: end login sessions that ran out or whose user was deleted, has moved to another organization or was given a
--   lower role than a token names (none, and an unknown one, count as lower than any), and forget revocations that can meet
--   no token any more. Parameters: max_rows (of each kind), after (the user to begin behind; null: at the beginning), slice_rows (open sessions to compare with the profiles).
-- Returns: one row: next_after (of the next call; null: begin again), expired, strayed (sessions ended), forgotten,
--   revoked as of revoke_logins, deaf_ms likewise.
-- Locks: an advisory lock (one sweep at a time; another returns zeros), then as end_logins.
-- Invariant: what one call costs does not grow with the number of open sessions.
create function public.sweep_logins(max_rows integer, after uuid default null, slice_rows integer default 5000)
returns table (next_after uuid, expired integer, strayed integer, forgotten integer, revoked jsonb, deaf_ms integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  users uuid[];
  over tollgate.login_sessions[];
  stray record;
begin
  next_after := after; expired := 0; strayed := 0; forgotten := 0; revoked := '[]'; deaf_ms := 0;
  if not pg_try_advisory_xact_lock(hashtext('tollgate.sweep_logins')) then
    return next;
    return;
  end if;
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.gate'));
  with due as (
    select s.id from tollgate.login_sessions s
    where s.ended_at is null and s.expires_at <= now() order by s.id limit max_rows for update
  ), updated as (
    update tollgate.login_sessions s set ended_at = s.expires_at, end_reason = 'expired'
    from due d where s.id = d.id returning s as session
  )
  select array_agg(u.session), count(*) into over, expired from updated u;
  perform tollgate.announce_logins(over, 'login.ended');

  with slice as (
    select s.user_id from tollgate.login_sessions s
    where s.ended_at is null and (after is null or s.user_id > after) order by s.user_id limit slice_rows
  )
  select case when count(*) = slice_rows then (array_agg(l.user_id order by l.user_id desc))[1] end, array_agg(distinct l.user_id)
  into next_after, users
  from slice l;
  for stray in
    select case when m.user_id is null then 'user_deleted'
        when m.organization_id is distinct from s.organization_id then 'organization_changed'
        else 'role_reduced' end as reason,
      array_agg(s.id order by s.id) as ids
    from (select t.* from tollgate.login_sessions t
      where t.ended_at is null and t.expires_at > now() and t.user_id = any(users)) s
    left join tollgate.directory_members m on m.user_id = s.user_id
    where m.user_id is null or m.organization_id is distinct from s.organization_id
      or tollgate.role_rank(m.role) < tollgate.role_rank(s.role)
    group by 1 order by 1
  loop
    strayed := strayed + least(cardinality(stray.ids), max_rows);
    revoked := revoked || tollgate.end_logins(stray.ids[1:max_rows], stray.reason);
  end loop;

  with gone as (
    delete from tollgate.token_revocations r where r.expires_at < now() returning 1
  )
  select count(*) into forgotten from gone;
  select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer into deaf_ms
  from tollgate.deaf_gates g where g.leased_until > clock_timestamp();
  return next;
end
$$;

revoke execute on function public.sweep_logins from public, anon, authenticated;
grant execute on function public.sweep_logins to tollgate_token_api, service_role;
