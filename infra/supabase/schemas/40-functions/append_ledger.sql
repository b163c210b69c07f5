-- Purpose: append events to the ledger. Parameters: events that were claimed. Returns: nothing.
-- Invariant: the ledger is only ever appended to.
create function tollgate.append_ledger(fresh tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.usage_events (
    organization_id, digest, source, event_id, time, received_at, user_id, session_id, message_id, provider, model,
    input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens,
    total_tokens, message_count, usage_date, period_start, price_id, cost_usd)
  select
    f.organization_id, f.digest, f.source, f.event_id, f.time, f.received_at, f.user_id, f.session_id, f.message_id,
    f.provider, f.model, f.input_tokens, f.output_tokens, f.cache_read_input_tokens, f.cache_creation_input_tokens,
    f.reasoning_output_tokens, f.total_tokens, f.message_count, f.usage_date, f.period_start, f.price_id, f.cost_usd
  from unnest(fresh) f
$$;

grant execute on function tollgate.append_ledger to tollgate_usage_worker, service_role;
