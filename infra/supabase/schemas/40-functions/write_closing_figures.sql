-- Purpose: add the sums of one partition's entries to the closing figures by day, session, period and model, and posting.
-- Parameters: partition (name of the table). Returns: one row: entries, total_tokens, cost_usd of the partition.
-- Locks: rows of sealed_days, sealed_sessions, sealed_periods, sealed_postings; the caller holds the lock of the books.
-- Invariant: called once for a partition, in the transaction that drops it. A day at a month's border may be sealed in parts.
create function tollgate.write_closing_figures(partition text)
returns table (entries bigint, total_tokens bigint, cost_usd numeric)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  execute format($sql$
    insert into tollgate.sealed_days as t (
      organization_id, date, model, user_id, input_tokens, output_tokens, cache_read_input_tokens,
      cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd, message_count,
      event_count, unpriced_events)
    select
      e.organization_id, e.usage_date, e.model, e.user_id, sum(e.input_tokens), sum(e.output_tokens),
      sum(e.cache_read_input_tokens), sum(e.cache_creation_input_tokens), sum(e.reasoning_output_tokens),
      sum(e.total_tokens), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.message_count),
      sum(e.event_count), sum(e.unpriced_events)
    from tollgate.%I e
    group by e.organization_id, e.usage_date, e.model, e.user_id
    on conflict (organization_id, date, model, user_id) do update set
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
      unpriced_events = t.unpriced_events + excluded.unpriced_events,
      sealed_at = now()$sql$, partition);
  execute format($sql$
    insert into tollgate.sealed_sessions as t (
      organization_id, user_id, librechat_session_id, message_count, input_tokens, output_tokens, total_tokens, cost_usd,
      charge_usd, unpriced_events)
    select
      e.organization_id, e.user_id, e.session_id, sum(e.message_count), sum(e.input_tokens), sum(e.output_tokens),
      sum(e.total_tokens), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.unpriced_events)
    from tollgate.%I e
    where e.entry <> 'opening_balance'
    group by e.organization_id, e.user_id, e.session_id
    on conflict (organization_id, user_id, librechat_session_id) do update set
      message_count = t.message_count + excluded.message_count,
      input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      total_tokens = t.total_tokens + excluded.total_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      unpriced_events = t.unpriced_events + excluded.unpriced_events$sql$, partition);
  execute format($sql$
    insert into tollgate.sealed_periods as t (
      organization_id, period_start, model, total_tokens, input_tokens, output_tokens, cost_usd, charge_usd, event_count,
      unpriced_events)
    select e.organization_id, e.period_start, e.model, sum(e.total_tokens), sum(e.input_tokens), sum(e.output_tokens),
      coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.event_count), sum(e.unpriced_events)
    from tollgate.%I e
    group by e.organization_id, e.period_start, e.model
    on conflict (organization_id, period_start, model) do update set
      total_tokens = t.total_tokens + excluded.total_tokens,
      input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      event_count = t.event_count + excluded.event_count,
      unpriced_events = t.unpriced_events + excluded.unpriced_events$sql$, partition);
  perform tollgate.seal_postings(partition);
  return query execute format('select count(*), coalesce(sum(e.total_tokens), 0)::bigint, coalesce(sum(e.cost_usd), 0)
    from tollgate.%I e', partition);
end
$$;
