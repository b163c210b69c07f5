-- Purpose: the limits that requests for holds have to respect, with what is used and held of each.
-- Parameters: requests. Returns: a row for each organization known, unlimited ones too (so is one that is observed, exempt or
--   paused); one for each user asked for who has a limit; and one for each chat session asked
--   for whose organization's policy limits sessions (session_max_tokens, over the session's whole life). Reads only.
-- Invariant: all limits apply; a larger or missing one of a narrower scope never lifts a wider one.
create function tollgate.hold_budgets(requests tollgate.hold_request[]) returns setof tollgate.hold_budget
language sql stable security invoker set search_path = ''
as $$
  with position as materialized (
    select p.* from tollgate.positions_of(array(select distinct r.organization_id from unnest(requests) r)) p
  )
  select 'organization', p.organization_id, null::uuid, null::text,
    case when not p.is_lenient then p.limit_tokens end, p.used_tokens, p.reserved_tokens,
    p.period_start, p.period_end
  from position p
  union all
  select 'user', u.organization_id, u.user_id, null, u.limit_tokens, u.used_tokens,
    coalesce((
      select sum(h.total_tokens) from tollgate.reservations h
      where h.organization_id = u.organization_id and h.state in ('held', 'committing') and h.user_id = u.user_id), 0)::bigint,
    u.period_start, u.period_end
  from (select distinct r.organization_id, r.user_id from unnest(requests) r) d
  join tollgate.user_inputs_at(now()) u on u.organization_id = d.organization_id and u.user_id = d.user_id
  join position p on p.organization_id = u.organization_id
  where u.limit_tokens is not null and not p.is_lenient
  union all
  select 'session', s.organization_id, s.user_id, s.session_id, s.session_max_tokens,
    coalesce((
      select c.total_tokens from public.chat_sessions c
      where c.organization_id = s.organization_id and c.user_id = s.user_id and c.librechat_session_id = s.session_id), 0),
    coalesce((
      select sum(h.total_tokens) from tollgate.reservations h
      where h.organization_id = s.organization_id and h.state in ('held', 'committing')
        and h.user_id = s.user_id and h.session_id = s.session_id), 0)::bigint,
    s.period_start, s.period_end
  from (
    select distinct r.organization_id, r.user_id, r.session_id, p.session_max_tokens, p.period_start, p.period_end
    from unnest(requests) r join position p on p.organization_id = r.organization_id
    where p.session_max_tokens is not null and not p.is_lenient) s
$$;

grant execute on function tollgate.hold_budgets to tollgate_token_api, service_role;
