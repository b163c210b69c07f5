-- Purpose: what a period consists of, by model: ledger and closing figures. Parameters: for_organization, for_period (its
--   start). Returns: a row a model. Reads only.
-- Invariant: an entry that posts to its own period lies on one of its days, at most two months; one that posts to a later
--   period than its own is found by an index of its own.
create function tollgate.fold_period_models(for_organization uuid, for_period timestamptz)
returns table (model text, total_tokens bigint, input_tokens bigint, output_tokens bigint, cost_usd numeric,
  charge_usd numeric, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select e.model, sum(e.total_tokens)::bigint, sum(e.input_tokens)::bigint, sum(e.output_tokens)::bigint,
    coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.event_count)::bigint,
    sum(e.unpriced_events)::bigint
  from (
    select u.model, u.total_tokens, u.input_tokens, u.output_tokens, u.cost_usd, u.charge_usd, u.event_count::bigint,
      u.unpriced_events::bigint
    from tollgate.usage_events u
    where u.organization_id = for_organization and u.period_start = for_period and u.original_period_start is null
      and u.usage_date between (for_period at time zone 'UTC')::date - 2 and (for_period at time zone 'UTC')::date + 70
    union all
    select u.model, u.total_tokens, u.input_tokens, u.output_tokens, u.cost_usd, u.charge_usd, u.event_count,
      u.unpriced_events
    from tollgate.usage_events u
    where u.organization_id = for_organization and u.period_start = for_period and u.original_period_start is not null
    union all
    select s.model, s.total_tokens, s.input_tokens, s.output_tokens, s.cost_usd, s.charge_usd, s.event_count,
      s.unpriced_events
    from tollgate.sealed_periods s where s.organization_id = for_organization and s.period_start = for_period
  ) e
  group by e.model
$$;

-- Purpose: what a period's total has to say. Parameters: as above. Returns: one row. Reads only.
create function tollgate.fold_period(for_organization uuid, for_period timestamptz)
returns table (used_tokens bigint, cost_usd numeric, charge_usd numeric, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select coalesce(sum(m.total_tokens), 0)::bigint, coalesce(sum(m.cost_usd), 0), coalesce(sum(m.charge_usd), 0),
    coalesce(sum(m.event_count), 0)::bigint, coalesce(sum(m.unpriced_events), 0)::bigint
  from tollgate.fold_period_models(for_organization, for_period) m
$$;

-- Purpose: whether a period's total differs from it. Parameters: as above. Returns: a row when it does, with what the total
--   has too little. Invariant: one snapshot. Reads only.
create function tollgate.find_period_drift(for_organization uuid, for_period timestamptz)
returns table (tokens_off bigint, cost_off numeric)
language sql stable security invoker set search_path = ''
as $$
  select f.used_tokens - t.used_tokens, f.cost_usd - t.cost_usd
  from tollgate.fold_period(for_organization, for_period) f
  join tollgate.period_totals t on t.organization_id = for_organization and t.period_start = for_period
  where row(f.used_tokens, f.cost_usd, f.charge_usd, f.event_count, f.unpriced_events)
    is distinct from row(t.used_tokens, t.cost_usd, t.charge_usd, t.event_count, t.unpriced_events)
$$;

-- Purpose: set a period's total to it, and have the enforcer look again. Parameters: as above. Returns: nothing.
-- Locks: the total's row. Invariant: as repair_day.
create function tollgate.repair_period(for_organization uuid, for_period timestamptz) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  insert into tollgate.period_totals (organization_id, period_start) values (for_organization, for_period)
  on conflict do nothing;
  perform from tollgate.period_totals t where t.organization_id = for_organization and t.period_start = for_period
  for update;
  update tollgate.period_totals t set
    used_tokens = f.used_tokens, cost_usd = f.cost_usd, charge_usd = f.charge_usd, event_count = f.event_count,
    unpriced_events = f.unpriced_events, evaluate_at = 0, updated_at = now()
  from tollgate.fold_period(for_organization, for_period) f
  where t.organization_id = for_organization and t.period_start = for_period;
end
$$;

grant execute on function tollgate.fold_period_models, tollgate.fold_period, tollgate.find_period_drift,
  tollgate.repair_period
  to tollgate_usage_worker, service_role;
