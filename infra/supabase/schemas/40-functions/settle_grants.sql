-- Purpose: how a period's usage spreads over an organization's limit and its open grants: soonest expiry first, the limit
--   as what expires with the period (before a grant that expires with it), then by priority, then the oldest.
-- Parameters: for_organization, in_period, period_end, base_limit (null: unlimited), used. Returns: a row a grant that is open
--   in the period: grant_id, size (what it had left at the period's start), spent. Reads only.
create function tollgate.spread_usage(
  for_organization uuid, in_period timestamptz, period_end timestamptz, base_limit bigint, used bigint)
returns table (grant_id uuid, size bigint, spent bigint)
language sql stable security invoker set search_path = ''
as $$
  with bucket as (
    select g.id, g.amount_tokens - s.earlier as size, coalesce(g.expires_at, 'infinity') as expires, 1 as kind, g.priority,
      g.created_at
    from tollgate.grants g
    cross join lateral (
      select coalesce(sum(p.spent_tokens), 0) as earlier
      from tollgate.grant_spending p where p.grant_id = g.id and p.period_start < in_period) s
    where g.organization_id = for_organization and g.closed_at is null and g.settled_until < spread_usage.period_end
    union all
    select null, coalesce(base_limit, 9223372036854775807), period_end, 0, 0, '-infinity'
  ), filled as (
    select b.id, b.size, sum(b.size) over (order by b.expires, b.kind, b.priority, b.created_at, b.id) as upto
    from bucket b
  ), spoken_for as (
    -- What grants gave that have ended within this period.
    select coalesce(sum(p.spent_tokens), 0) as tokens
    from tollgate.grants g join tollgate.grant_spending p on p.grant_id = g.id and p.period_start = in_period
    where g.organization_id = for_organization and g.closed_at is not null
  )
  select f.id, f.size::bigint, greatest(0, least(f.size, used - o.tokens - (f.upto - f.size)))::bigint
  from filled f cross join spoken_for o
  where f.id is not null
$$;

-- Purpose: what an organization had used of a period by an instant, as far as the ledger knows: the period's total without the
--   entries of later events. Parameters: for_organization, in_period (its start), instant (null: all of it). Returns: LLM tokens.
-- Reads only. Invariant: total and entries are of one snapshot. What posts to a later period than its own was used before it.
create function tollgate.used_before(for_organization uuid, in_period timestamptz, instant timestamptz) returns bigint
language sql stable security invoker set search_path = ''
as $$
  select coalesce((select t.used_tokens from tollgate.period_totals t
      where t.organization_id = for_organization and t.period_start = in_period), 0)
    - case when instant is null then 0 else coalesce((
      select sum(e.total_tokens) from tollgate.usage_events e
      where e.organization_id = for_organization and e.period_start = in_period and e.time >= instant
        -- For the index: no zone is further than a day from UTC.
        and e.usage_date >= (instant at time zone 'UTC')::date - 1), 0)::bigint end
$$;

-- Purpose: fix what grants gave: to periods that are over, and to the present one where a grant has expired.
-- Parameters: for_organization, at (default: the database's present). Returns: one row: settled (how many rows were fixed).
-- Locks: the organization's open grants, by id. Invariant: a grant gives each period once, and never more than it holds; what
--   is settled stays. Repeating changes nothing. A grant that has expired gave what was used until then, in the spending order,
--   however late it is settled: expiries are settled one after the other, each with the usage of events before it.
create function public.settle_grants(for_organization uuid, at timestamptz default now()) returns table (settled integer)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  open_period timestamptz;
  in_period record;
  base bigint;
  ending timestamptz; -- when the next grants expire within the period; null: none do, and the period is over
  fixed integer;
begin
  settled := 0;
  perform from tollgate.grants g
  where g.organization_id = for_organization and g.closed_at is null order by g.id for update;
  loop
    select min(g.settled_until) into open_period from tollgate.grants g
    where g.organization_id = for_organization and g.closed_at is null
      and (g.expires_at <= at or g.settled_until < (select p.period_start from tollgate.organization_period(for_organization, at) p));
    exit when open_period is null;
    select * into in_period from tollgate.organization_period(for_organization, open_period);
    -- What held in that period as far as anybody decided in it; null may be what held.
    select case when s.organization_id is not null then s.base_limit_tokens else i.base_limit_tokens end into base
    from tollgate.quota_inputs_at(at) i
    left join tollgate.enforcement_states s
      on s.organization_id = i.organization_id and s.period_start = in_period.period_start
    where i.organization_id = for_organization;
    select min(g.expires_at) into ending from tollgate.grants g
    where g.organization_id = for_organization and g.closed_at is null and g.settled_until < in_period.period_end
      and g.expires_at <= at and g.expires_at < in_period.period_end;

    with due as (
      select g.id, s.size, s.spent,
        case when ending is null then in_period.period_end else in_period.period_start end as next_period,
        g.expires_at <= coalesce(ending, in_period.period_end) as is_expired
      from tollgate.spread_usage(for_organization, in_period.period_start, in_period.period_end, base,
        tollgate.used_before(for_organization, in_period.period_start, ending)) s
      join tollgate.grants g on g.id = s.grant_id
      where case when ending is null then in_period.period_end <= at else g.expires_at <= ending end
    ), spending as (
      insert into tollgate.grant_spending (grant_id, period_start, spent_tokens)
      select d.id, in_period.period_start, d.spent from due d order by d.id
      returning grant_id
    )
    update tollgate.grants g set
      settled_until = d.next_period,
      closed_at = case when d.is_expired or (ending is null and d.spent = d.size) then least(at, coalesce(g.expires_at, at)) end
    from due d where d.id = g.id;
    get diagnostics fixed = row_count;
    settled := settled + fixed;
    exit when fixed = 0;
  end loop;
  return next;
end
$$;

revoke execute on function public.settle_grants from public, anon, authenticated;
grant execute on function tollgate.spread_usage, tollgate.used_before, public.settle_grants to tollgate_token_api, tollgate_quota_enforcer, service_role;
