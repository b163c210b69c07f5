-- Purpose: the price in force for one call; judge_events does the same for a whole batch at a time.
-- Parameters: the call's provider (null: the model's maker), model, time and counts.
-- Returns: no row where no price is known, else one: price_id, cost_usd. Reads only.
-- Invariant: an operator's price before a seeded one, then the highest long-context tier reached, then the newest.
create function tollgate.price_call(
  reported_provider text, reported_model text, at timestamptz, input_tokens bigint, output_tokens bigint,
  cache_read_input_tokens bigint, cache_creation_input_tokens bigint, reasoning_output_tokens bigint)
returns table (price_id bigint, cost_usd numeric)
language sql stable security invoker set search_path = ''
as $$
  select p.id, tollgate.cost_usd(p.input_usd_per_mtok, p.output_usd_per_mtok, p.cache_read_usd_per_mtok,
    p.cache_creation_usd_per_mtok, p.reasoning_usd_per_mtok, input_tokens, output_tokens, cache_read_input_tokens,
    cache_creation_input_tokens, reasoning_output_tokens)
  from tollgate.resolve_model(reported_provider, reported_model) r
  join tollgate.model_prices p on p.provider = r.provider and p.model = r.model
  where at >= p.valid_from and at < p.valid_to and input_tokens >= p.min_input_tokens
  order by (p.origin = 'operator') desc, p.min_input_tokens desc, p.valid_from desc
  limit 1
$$;

grant execute on function tollgate.price_call to tollgate_usage_worker, service_role;
