-- Purpose: what the price book now says of usage that is in the ledger, as adjusting entries.
-- Parameters: for_organization, for_date, bucket of buckets (a share of the day's events, by digest), only_model (null: all).
-- Returns: one `rerate` entry an event whose cost differs from what is posted, or that had no price and has one now. Reads
--   only. A price that is no longer in the book changes nothing: what was charged is not taken back to unknown.
-- Invariant: an entry is the difference between the price now and the sum of what is posted, corrections and former
--   re-rates included; so a repetition finds nothing. Price, day, session and period are those of the event's time.
create function tollgate.rerate_entries(
  for_organization uuid, for_date date, bucket integer, buckets integer, only_model text)
returns setof tollgate.judged_event
language sql stable security invoker set search_path = ''
as $$
  with posted as materialized (
    select e.digest, e.user_id, e.session_id, e.model, min(e.source) as source, min(e.event_id) as event_id,
      min(e.time) as time, min(e.provider) as provider, sum(e.input_tokens) as input_tokens,
      sum(e.output_tokens) as output_tokens, sum(e.cache_read_input_tokens) as cache_read_input_tokens,
      sum(e.cache_creation_input_tokens) as cache_creation_input_tokens,
      sum(e.reasoning_output_tokens) as reasoning_output_tokens, sum(e.event_count) as event_count,
      sum(e.unpriced_events) as unpriced_events, coalesce(sum(e.cost_usd), 0) as cost_usd,
      coalesce(sum(e.charge_usd), 0) as charge_usd, max(e.price_id) filter (where e.cost_usd is not null) as price_id,
      max(coalesce(e.original_period_start, e.period_start)) as period_start,
      row_number() over () as ordinal
    from tollgate.usage_events e
    where e.organization_id = for_organization and e.usage_date = for_date and e.entry <> 'opening_balance'
      and (only_model is null or e.model = only_model) and get_byte(e.digest, 0) % buckets = bucket
    group by e.digest, e.user_id, e.session_id, e.model
  ), judged as materialized (
    select j from tollgate.judge_events(jsonb_build_object('events', coalesce((
      select jsonb_agg(jsonb_build_object('type', 'usage.recorded', 'organization_id', for_organization,
        'source', p.source, 'id', p.event_id, 'time', p.time, 'received_at', now(), 'member', true, 'imported', true,
        'user_id', p.user_id, 'session_id', p.session_id, 'provider', p.provider, 'model', p.model,
        'input_tokens', p.input_tokens, 'output_tokens', p.output_tokens,
        'cache_read_input_tokens', p.cache_read_input_tokens,
        'cache_creation_input_tokens', p.cache_creation_input_tokens,
        'reasoning_output_tokens', p.reasoning_output_tokens, 'message_count', 0) order by p.ordinal)
      from posted p), '[]'))) j
  ), difference as (
    select (x.j) as j, p.*,
      -- A voided event costs nothing, whatever the price.
      case when p.event_count = 0 then 0 else (x.j).cost_usd end - p.cost_usd as cost_difference,
      case when p.event_count = 0 then 0 else (x.j).charge_usd end - p.charge_usd as charge_difference
    from posted p join judged x on (x.j).ordinal = p.ordinal
    where (x.j).price_id is not null or p.event_count = 0
  )
  -- The digest is the event's own: of an erased user's, source and id say something else by now.
  select jsonb_populate_record(d.j, jsonb_build_object('entry', 'rerate', 'digest', d.digest, 'received_at', now(), 'imported', false,
    'after_revocation', false, 'input_tokens', 0, 'output_tokens', 0, 'cache_read_input_tokens', 0,
    'cache_creation_input_tokens', 0, 'reasoning_output_tokens', 0, 'total_tokens', 0, 'message_count', 0,
    'event_count', 0, 'unpriced_events', -d.unpriced_events, 'usage_date', for_date, 'period_start', d.period_start,
    'is_current_period', d.period_start = (
      select c.period_start from tollgate.organization_period(for_organization) c),
    'cost_usd', d.cost_difference, 'charge_usd', d.charge_difference))
  from difference d
  where d.cost_difference <> 0 or d.unpriced_events <> 0
$$;

grant execute on function tollgate.rerate_entries to service_role;
