-- Purpose: turn corrections into ledger entries: the reversal of what holds of the original, and its replacement.
-- Parameters: corrections: judged, at most one of each original. Returns: two entries for each that brings a higher
--   revision; their ordinal is the correction's. Reads only.
-- Invariant: both land on the day and period, user, session and model of the original, and are priced as of its time. A
--   reversal is the exact negative of what was stamped; a void (all counts zero) leaves nothing, not even an event.
create function tollgate.correction_entries(corrections tollgate.judged_event[]) returns setof tollgate.judged_event
language sql stable security invoker set search_path = ''
as $$
  with target as materialized (
    select c.ordinal, c.revision, c.received_at, s.original, s as held, c.input_tokens, c.output_tokens,
      c.cache_read_input_tokens, c.cache_creation_input_tokens, c.reasoning_output_tokens, c.total_tokens,
      coalesce(c.message_count, case when c.total_tokens = 0 then 0 else (s.original).message_count end) as message_count,
      coalesce((s.original).original_period_start, (s.original).period_start) as period_start
    from unnest(corrections) c
    join tollgate.usage_event_identities i on i.organization_id = c.organization_id and i.digest = c.digest
    cross join lateral tollgate.standing_entries(i.organization_id, i.digest, i.seen_at) s
    where c.revision > s.revision
  ), common as materialized (
    select t.*, t.total_tokens = 0 and t.message_count = 0 as is_void,
      to_jsonb(t.original) || jsonb_build_object(
        'type', 'usage.corrected', 'ordinal', t.ordinal, 'revision', t.revision, 'received_at', t.received_at,
        'period_start', t.period_start, 'original_period_start', null, 'price_id', null,
        'is_current_period', t.period_start = (
          select c.period_start from tollgate.organization_period((t.original).organization_id) c)) as stamps
    from target t
  )
  select jsonb_populate_record(null::tollgate.judged_event, t.stamps || jsonb_build_object(
    'entry', 'reversal',
    'input_tokens', -(t.held).input_tokens, 'output_tokens', -(t.held).output_tokens,
    'cache_read_input_tokens', -(t.held).cache_read_input_tokens,
    'cache_creation_input_tokens', -(t.held).cache_creation_input_tokens,
    'reasoning_output_tokens', -(t.held).reasoning_output_tokens, 'total_tokens', -(t.held).total_tokens,
    'message_count', -(t.held).message_count, 'event_count', -(t.held).event_count,
    'unpriced_events', -(t.held).unpriced_events, 'cost_usd', -(t.held).cost_usd, 'charge_usd', -(t.held).charge_usd))
  from common t
  union all
  select jsonb_populate_record(null::tollgate.judged_event, t.stamps || jsonb_build_object(
    'entry', 'replacement',
    'input_tokens', t.input_tokens, 'output_tokens', t.output_tokens,
    'cache_read_input_tokens', t.cache_read_input_tokens,
    'cache_creation_input_tokens', t.cache_creation_input_tokens,
    'reasoning_output_tokens', t.reasoning_output_tokens, 'total_tokens', t.total_tokens,
    'message_count', t.message_count, 'event_count', (not t.is_void)::integer,
    'unpriced_events', (not t.is_void and p.price_id is null)::integer, 'price_id', p.price_id,
    'cost_usd', case when t.is_void then 0 else p.cost_usd end,
    'charge_usd', case when t.is_void then 0
      else round(p.cost_usd * (1 + tollgate.markup_percent((t.original).organization_id) / 100), 12) end))
  from common t
  left join lateral tollgate.price_call((t.original).provider, (t.original).model, (t.original).time, t.input_tokens,
    t.output_tokens, t.cache_read_input_tokens, t.cache_creation_input_tokens, t.reasoning_output_tokens) p
    on not t.is_void
$$;

grant execute on function tollgate.correction_entries to tollgate_usage_worker, service_role;
