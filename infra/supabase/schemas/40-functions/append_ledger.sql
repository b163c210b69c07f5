-- Purpose: append entries to the ledger. Parameters: entries (events that were claimed, corrections). Returns: nothing.
-- Invariant: the ledger is only ever appended to.
create function tollgate.append_ledger(fresh tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.usage_events (
    organization_id, digest, source, event_id, time, received_at, user_id, session_id, message_id, provider, model,
    entry, revision, imported, after_revocation, input_tokens, output_tokens, cache_read_input_tokens,
    cache_creation_input_tokens, reasoning_output_tokens, total_tokens, message_count, event_count, unpriced_events,
    usage_date, period_start, original_period_start, price_id, cost_usd, charge_usd)
  select
    f.organization_id, f.digest, f.source, f.event_id, f.time, f.received_at, f.user_id, f.session_id, f.message_id,
    f.provider, f.model, f.entry, f.revision, f.imported, f.after_revocation, f.input_tokens, f.output_tokens,
    f.cache_read_input_tokens, f.cache_creation_input_tokens, f.reasoning_output_tokens, f.total_tokens,
    f.message_count, f.event_count, f.unpriced_events, f.usage_date, f.period_start, f.original_period_start,
    f.price_id, f.cost_usd, f.charge_usd
  from unnest(fresh) f
$$;

grant execute on function tollgate.append_ledger to tollgate_usage_worker, service_role;
