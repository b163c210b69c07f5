-- Purpose: the entries of one period that rollups by day cannot place: those that posted to it or from it to a later one, and
--   those of its days that another period shares, from ledger and closing figures.
-- Parameters: for_organization, for_period (its start). Returns: sums by period, own period, day, model and user. Reads only,
--   by the indexes of postponed entries and, of the ledger's days, the shared ones inside the period.
create function tollgate.list_postings(for_organization uuid, for_period timestamptz)
returns setof tollgate.sealed_postings
language sql stable security invoker set search_path = ''
as $$
  select e.organization_id, e.period_start, coalesce(e.original_period_start, e.period_start), e.usage_date, e.model,
    e.user_id, sum(e.input_tokens)::bigint, sum(e.output_tokens)::bigint, coalesce(sum(e.cost_usd), 0),
    coalesce(sum(e.charge_usd), 0), sum(e.message_count), sum(e.event_count), sum(e.unpriced_events)
  from (
    select u.* from tollgate.usage_events u
    where u.organization_id = for_organization and u.original_period_start is not null and u.period_start = for_period
    union all
    select u.* from tollgate.usage_events u
    where u.organization_id = for_organization and u.original_period_start = for_period and u.period_start <> for_period
    union all
    select u.* from tollgate.usage_events u
    where u.organization_id = for_organization and u.original_period_start is null and u.period_start = for_period
      -- An array, so that the few days are looked up and not the organization's ledger read through.
      and u.usage_date = any (array(select d.date from tollgate.shared_days(for_organization) d
        where d.date between (for_period at time zone 'UTC')::date - 2 and (for_period at time zone 'UTC')::date + 70))
  ) e
  group by 1, 2, 3, 4, 5, 6
  union all
  select s.* from tollgate.sealed_postings s
  where s.organization_id = for_organization and for_period in (s.period_start, s.original_period_start)
$$;

-- Purpose: what a period's statement consists of, and what of it later ones consist of, by period, own period, model and user.
-- Parameters: for_organization, for_period (its start). Returns: a row each; posted_to is the period, or a later one;
--   own_period is the period itself, or the closed one that the entries came from.
-- Invariant: the rows that posted to the period add up to its total, sealed or not; reads rollups, and of the ledger only
--   what list_postings reads, once. Reads only.
create function tollgate.fold_statement(for_organization uuid, for_period timestamptz)
returns table (posted_to timestamptz, own_period timestamptz, model text, user_id uuid, input_tokens bigint, output_tokens bigint,
  cost_usd numeric, charge_usd numeric, message_count bigint, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  with period as materialized (
    select (p.period_start at time zone p.time_zone)::date as first_day, (p.period_end at time zone p.time_zone)::date as end_day
    from tollgate.organization_period(for_organization, for_period) p
  ), postings as materialized (
    select * from tollgate.list_postings(for_organization, for_period)
  ), shared as materialized (
    select d.date from tollgate.shared_days(for_organization) d
  ), parts as (
    select for_period as posted_to, for_period as own_period, m.model, m.user_id, m.input_tokens, m.output_tokens, m.cost_usd, m.charge_usd,
      m.message_count, m.event_count, m.unpriced_events
    from tollgate.usage_by_model m
    where m.organization_id = for_organization and m.date >= (select p.first_day from period p)
      and m.date < (select p.end_day from period p) and m.date not in (select s.date from shared s)
    union all
    -- What posts to a later period is in the rollup of its day, and not in this statement.
    select for_period, for_period, p.model, p.user_id, -p.input_tokens, -p.output_tokens, -p.cost_usd, -p.charge_usd,
      -p.message_count, -p.event_count, -p.unpriced_events
    from postings p
    where p.original_period_start = for_period and p.period_start <> for_period
      and p.date not in (select s.date from shared s)
    union all
    select p.period_start, p.original_period_start, p.model, p.user_id, p.input_tokens, p.output_tokens, p.cost_usd,
      p.charge_usd, p.message_count, p.event_count, p.unpriced_events
    from postings p
  )
  select p.posted_to, p.own_period, p.model, p.user_id, sum(p.input_tokens)::bigint, sum(p.output_tokens)::bigint, sum(p.cost_usd),
    sum(p.charge_usd), sum(p.message_count)::bigint, sum(p.event_count)::bigint, sum(p.unpriced_events)::bigint
  from parts p
  group by 1, 2, 3, 4
  having (sum(p.input_tokens), sum(p.output_tokens), sum(p.cost_usd), sum(p.charge_usd), sum(p.message_count),
    sum(p.event_count), sum(p.unpriced_events)) is distinct from (0, 0, 0, 0, 0, 0, 0)
$$;

grant execute on function tollgate.list_postings, tollgate.fold_statement to service_role;
