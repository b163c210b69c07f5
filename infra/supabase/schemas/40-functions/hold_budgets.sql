-- Purpose: the budgets of whole organizations that requests for holds have to respect. Parameters: organizations, whose holds
--   the caller has locked; asked (LLM tokens, of each); observe (true: nobody is to be refused). Returns: a row for each one
--   known, unlimited ones too (so is one that is observed, exempt or paused). Reads only; without `set`, so that it is inlined.
-- Invariant: where access was restored by hand after the limit was passed, the next step that revokes is the limit. A hold whose
--   lease has run out does not count, whether or not somebody has marked it yet: a thousand of an organization at a time, as many
--   as are marked in a call.
create function tollgate.organization_budgets(organizations uuid[], asked bigint[], observe boolean)
returns setof tollgate.hold_budget
language sql stable security invoker
as $$
  select
    'organization', i.organization_id, null::uuid, null::text,
    case
      when l.is_lenient or l.act = 'exempt' then null
      when l.act = 'restore' then tollgate.limit_after_restore(
        i.limit_tokens, i.granted_tokens, i.policy, (i.manual_act ->> 'used_tokens')::bigint)
      else i.limit_tokens end,
    coalesce(t.used_tokens, 0), coalesce(h.reserved_tokens, 0) - coalesce(x.tokens, 0), i.period_start, i.period_end,
    -- What is ordered by hand holds at once, before the enforcer has put it into force; what lapses is over at once, too.
    not l.is_lenient and l.act is distinct from 'exempt' and (l.act = 'revoke' or e.state = 'revoked') is true,
    case when l.act = 'revoke' then 'manual_revoke' when not e.is_over then s.reason end,
    case when l.act = 'revoke' and e.state <> 'revoked' then (i.manual_act ->> 'decision_id')::uuid
      when not e.is_over then s.decision_id end,
    l.is_lenient, case when l.act is distinct from 'exempt' then (i.policy ->> 'session_max_tokens')::bigint end, i.time_zone,
    asked[array_position(organizations, i.organization_id)],
    exists (select from tollgate.user_quotas u where u.organization_id = i.organization_id)
      or exists (select from tollgate.user_quota_defaults f where f.organization_id = i.organization_id and f.is_limiting),
    x.tokens is not null, i.grants_due
  from tollgate.quota_inputs i
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.reserved_totals h on h.organization_id = i.organization_id
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  cross join lateral (
    select sum(d.total_tokens)::bigint as tokens from tollgate.due_holds(i.organization_id, h.expired_upto, 1000) d) x
  cross join lateral (
    select observe or i.mode = 'observe' or exists (select from tollgate.enforcement_control c where c.paused) as is_lenient,
      i.manual_act ->> 'act' as act offset 0) l
  cross join lateral (
    select tollgate.state_at(s.state, s.lapses, s.period_end) as state, tollgate.is_lapsed(s.lapses, s.period_end) as is_over) e
  where i.organization_id = any(organizations)
  -- Worked out once: without `offset` each column would be worked out wherever it is read.
  offset 0
$$;

-- Purpose: the budgets of users who ask for holds. Parameters: requests; wholes (the budgets of their organizations).
-- Returns: a row for each user who has a limit, an own one or the organization's default for users, or who is revoked.
-- Reads only. Invariant: what lifts the organization's limit lifts no user's, but for observing and pausing.
create function tollgate.user_budgets(requests tollgate.hold_request[], wholes tollgate.hold_budget[])
returns setof tollgate.hold_budget
language sql stable security invoker set search_path = ''
as $$
  select
    'user', d.organization_id, d.user_id, null::text, n.limit_tokens,
    case when n.limit_tokens is null then 0 else coalesce((
      select sum(r.tokens_used) from public.usage_metrics r
      where r.organization_id = d.organization_id and r.user_id = d.user_id
        and r.date >= (o.period_start at time zone o.time_zone)::date and r.date < (o.period_end at time zone o.time_zone)::date),
      0)::bigint end,
    case when n.limit_tokens is null then 0 else coalesce((
      select sum(h.total_tokens) from tollgate.reservations h
      where h.organization_id = d.organization_id and h.state in ('held', 'committing') and h.user_id = d.user_id), 0)::bigint end,
    o.period_start, o.period_end, n.is_closed,
    case when v.act = 'revoke' then 'manual_revoke' when not e.is_over then s.reason end,
    case when v.act = 'revoke' and e.state <> 'revoked' then v.decision_id when not e.is_over then s.decision_id end,
    null::boolean, null::bigint, null::text, null::bigint, null::boolean, null::boolean, null::boolean
  from (select distinct r.organization_id, r.user_id from unnest(requests) r) d
  join unnest(wholes) o on o.organization_id = d.organization_id and not o.is_lenient
  left join tollgate.user_quotas u on u.organization_id = d.organization_id and u.user_id = d.user_id
  left join tollgate.user_quota_defaults f on f.organization_id = d.organization_id
  left join tollgate.user_enforcement_states s on s.organization_id = d.organization_id and s.user_id = d.user_id
  left join tollgate.user_enforcement_overrides v on v.organization_id = d.organization_id and v.user_id = d.user_id
    and (v.until is null or v.until > now())
  cross join lateral (
    select tollgate.state_at(s.state, s.lapses, s.period_end) as state, tollgate.is_lapsed(s.lapses, s.period_end) as is_over) e
  cross join lateral (select case when u.is_own then u.max_tokens else f.max_tokens end as own_limit) l
  cross join lateral (
    select case v.act
        when 'exempt' then null
        when 'restore' then tollgate.limit_after_restore(l.own_limit, 0, coalesce(u.policy, f.policy), v.used_tokens)
        else l.own_limit end as limit_tokens,
      v.act is distinct from 'exempt' and (v.act = 'revoke' or e.state = 'revoked') is true as is_closed) n
  where n.limit_tokens is not null or n.is_closed
$$;

-- Purpose: the budgets of chat sessions that ask for holds, over each session's whole life. Parameters: requests; wholes (the
--   budgets of their organizations). Returns: a row for each session whose organization limits sessions. Reads only.
create function tollgate.session_budgets(requests tollgate.hold_request[], wholes tollgate.hold_budget[])
returns setof tollgate.hold_budget
language sql stable security invoker set search_path = ''
as $$
  select
    'session', s.organization_id, s.user_id, s.session_id, s.session_max_tokens,
    coalesce((
      select c.total_tokens from public.chat_sessions c
      where c.organization_id = s.organization_id and c.user_id = s.user_id and c.librechat_session_id = s.session_id), 0),
    coalesce((
      select sum(h.total_tokens) from tollgate.reservations h
      where h.organization_id = s.organization_id and h.state in ('held', 'committing')
        and h.user_id = s.user_id and h.session_id = s.session_id), 0)::bigint,
    s.period_start, s.period_end, false, null::text, null::uuid, null::boolean,
    null::bigint, null::text, null::bigint, null::boolean, null::boolean, null::boolean
  from (
    select distinct r.organization_id, r.user_id, r.session_id, o.session_max_tokens, o.period_start, o.period_end
    from unnest(requests) r join unnest(wholes) o on o.organization_id = r.organization_id
    where o.session_max_tokens is not null and not o.is_lenient) s
$$;

-- Purpose: all limits that requests for holds have to respect, with what is used and held of each. Parameters: requests;
--   wholes (the budgets of their organizations). Returns: the budgets, those of organizations first. Reads only.
-- Invariant: all limits apply; a larger or missing one of a narrower scope never lifts a wider one. Limits of users and
--   sessions cost nothing where there are none.
create function tollgate.hold_budgets(requests tollgate.hold_request[], wholes tollgate.hold_budget[])
returns tollgate.hold_budget[]
language plpgsql stable security invoker set search_path = ''
as $$
declare
  budgets tollgate.hold_budget[] := wholes;
begin
  if exists (select from unnest(wholes) b where b.limits_users) then
    budgets := budgets || array(select b from tollgate.user_budgets(requests, wholes) b);
  end if;
  if exists (select from unnest(wholes) b where b.session_max_tokens is not null) then
    budgets := budgets || array(select b from tollgate.session_budgets(requests, wholes) b);
  end if;
  return budgets;
end
$$;

grant execute on function tollgate.organization_budgets, tollgate.user_budgets, tollgate.session_budgets, tollgate.hold_budgets
  to tollgate_token_api, service_role;
