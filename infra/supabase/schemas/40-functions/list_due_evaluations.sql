-- Purpose: whether a step of a ladder is reached by whoever has used nothing. Parameters: policy (null: the default one).
-- Returns: boolean; of a ladder that cannot be read false, since the default one holds. Reads nothing.
create function tollgate.acts_unused(policy jsonb) returns boolean
language sql immutable parallel safe
return coalesce(policy ->> 'max_cost_usd' ~ '^0+([.]0+)?$', false) or coalesce(
  jsonb_path_exists(policy, '$.steps[*] ? (@.at_tokens == 0 || @.at_usd like_regex "^0+([.]0+)?$")'), false);

-- Purpose: organizations that must be evaluated though nobody announced them: a wake-up was lost, the period, a grant, a
--   grace or a manual act ended, or limit, ladder or schedule changed; for themselves or for one of their users.
-- Parameters: max_rows, at (default: the database's present), after (organization id, exclusive; null: from the first).
-- Returns: a row an organization, by id, so that a sweep that goes on from the last one is fair to all of them:
--   organization_id, reason.
-- Invariant: what needs no evaluation is not listed, so that a sweep is cheap: it looks at each organization, and of users at those
--   that are due alone (but for a default of 0: at which members have no row yet). Reads only.
create function public.list_due_evaluations(max_rows integer, at timestamptz default now(), after uuid default null)
returns table (organization_id uuid, reason text)
language sql stable security invoker set search_path = ''
as $$
  with recursive with_users as ( -- organizations with states of users, each found by one look into an index
    (select s.organization_id from tollgate.user_enforcement_states s order by s.organization_id limit 1)
    union all
    select (select s.organization_id from tollgate.user_enforcement_states s
      where s.organization_id > w.organization_id order by s.organization_id limit 1)
    from with_users w where w.organization_id is not null
  ), of_users as materialized (
    select q.organization_id from tollgate.user_quotas q where q.is_due
    union
    select s.organization_id from tollgate.user_enforcement_states s where s.wakes_at <= at and s.wakes_at < 'infinity'
    union
    select f.organization_id from tollgate.user_quota_defaults f
    where f.is_limiting and (not f.is_enrolled or f.max_tokens = 0) and tollgate.must_enroll(f)
  )
  select i.organization_id,
    case when s.period_end <= at then 'period' when s.inputs_key <> i.inputs_key then 'limit_changed'
      when s.due_at <= at or i.grants_due then 'time' else 'sweep' end
  from tollgate.quota_inputs_at(at) i
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  left join tollgate.period_totals t
    on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  left join with_users w on w.organization_id = i.organization_id
  cross join lateral (
    select case when w.organization_id is not null
      then tollgate.shared_user_key(i.time_zone, i.reduced_configs, i.mode, f.version) end as shared_key) k
  where (after is null or i.organization_id > after)
    and (s.period_end <= at or s.due_at <= at or s.inputs_key <> i.inputs_key or t.is_due or i.grants_due
      -- Nothing may be used, or somebody ordered something: do not wait for a first event.
      or (s.organization_id is null and (i.limit_tokens = 0 or i.manual_act is not null or i.granted_tokens > 0
        or tollgate.acts_unused(i.policy)))
      or i.organization_id in (select u.organization_id from of_users u)
      -- The ends of an index: whoever is left behind stands at one of them.
      or case when w.organization_id is not null then
        (select u.shared_key from tollgate.user_enforcement_states u
          where u.organization_id = i.organization_id order by u.shared_key limit 1) <> k.shared_key
        or (select u.shared_key from tollgate.user_enforcement_states u
          where u.organization_id = i.organization_id order by u.shared_key desc limit 1) <> k.shared_key end)
  order by i.organization_id
  limit max_rows
$$;

-- Purpose: how long nothing will be due by time alone. Parameters: at (default: the database's present).
-- Returns: one row: wait_ms to the next end of a period, grant, grace or manual act, by the database's clock; null: none.
-- Reads only.
create function public.next_due_evaluation(at timestamptz default now()) returns table (wait_ms double precision)
language sql stable security invoker set search_path = ''
as $$
  select extract(epoch from least(
    (select min(least(s.period_end, s.due_at)) from tollgate.enforcement_states s where least(s.period_end, s.due_at) > at),
    (select min(u.wakes_at) from tollgate.user_enforcement_states u where u.wakes_at > at and u.wakes_at < 'infinity')) - at
  )::double precision * 1000
$$;

revoke execute on function public.list_due_evaluations, public.next_due_evaluation from public, anon, authenticated;
grant execute on function tollgate.acts_unused to tollgate_quota_enforcer, service_role;
grant execute on function public.list_due_evaluations, public.next_due_evaluation to tollgate_quota_enforcer, service_role;
