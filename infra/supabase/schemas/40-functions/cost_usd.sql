-- Purpose: what a call costs. Parameters: prices in US dollars per million LLM tokens (null: of cached input as of input, of
--   reasoning as of output), counts of LLM tokens. Returns: US dollars.
-- Invariant: exact, never rounded: prices have at most six decimals, so a cost has at most twelve.
create function tollgate.cost_usd(
  input_usd_per_mtok numeric, output_usd_per_mtok numeric, cache_read_usd_per_mtok numeric,
  cache_creation_usd_per_mtok numeric, reasoning_usd_per_mtok numeric, input_tokens bigint, output_tokens bigint,
  cache_read_input_tokens bigint, cache_creation_input_tokens bigint, reasoning_output_tokens bigint) returns numeric
language sql immutable parallel safe
return ((input_tokens - cache_read_input_tokens - cache_creation_input_tokens) * input_usd_per_mtok
  + cache_read_input_tokens * coalesce(cache_read_usd_per_mtok, input_usd_per_mtok)
  + cache_creation_input_tokens * coalesce(cache_creation_usd_per_mtok, input_usd_per_mtok)
  + (output_tokens - reasoning_output_tokens) * output_usd_per_mtok
  + reasoning_output_tokens * coalesce(reasoning_usd_per_mtok, output_usd_per_mtok)) * 0.000001;

grant execute on function tollgate.cost_usd to tollgate_usage_worker, service_role;
