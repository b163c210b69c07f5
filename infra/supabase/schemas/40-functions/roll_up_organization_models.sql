-- Purpose: add ledger entries to usage_by_organization_model. Parameters: entries. Returns: nothing.
-- Locks: its rows in the order of the primary key; called late, since these rows are hot.
-- Invariant: the rollup is the fold of the ledger.
create function tollgate.roll_up_organization_models(fresh tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.usage_by_organization_model as t (
    organization_id, date, model, input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    reasoning_output_tokens, total_tokens, cost_usd, charge_usd, message_count, event_count, unpriced_events)
  select
    f.organization_id, f.usage_date, f.model, sum(f.input_tokens), sum(f.output_tokens), sum(f.cache_read_input_tokens),
    sum(f.cache_creation_input_tokens), sum(f.reasoning_output_tokens), sum(f.total_tokens),
    coalesce(sum(f.cost_usd), 0), coalesce(sum(f.charge_usd), 0), sum(f.message_count), sum(f.event_count),
    sum(f.unpriced_events)
  from unnest(fresh) f
  group by f.organization_id, f.usage_date, f.model
  order by f.organization_id, f.usage_date, f.model
  on conflict (organization_id, date, model) do update set
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    cache_read_input_tokens = t.cache_read_input_tokens + excluded.cache_read_input_tokens,
    cache_creation_input_tokens = t.cache_creation_input_tokens + excluded.cache_creation_input_tokens,
    reasoning_output_tokens = t.reasoning_output_tokens + excluded.reasoning_output_tokens,
    total_tokens = t.total_tokens + excluded.total_tokens,
    cost_usd = t.cost_usd + excluded.cost_usd,
    charge_usd = t.charge_usd + excluded.charge_usd,
    message_count = t.message_count + excluded.message_count,
    event_count = t.event_count + excluded.event_count,
    unpriced_events = t.unpriced_events + excluded.unpriced_events
$$;

grant execute on function tollgate.roll_up_organization_models to tollgate_usage_worker, service_role;
