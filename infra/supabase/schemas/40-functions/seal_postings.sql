-- Purpose: days that two periods of an organization share: where a change of time zone went west, the first days of the new
--   schedule bear the dates of the old one's last. Parameters: for_organization. Returns: a row a day. Reads only.
create function tollgate.shared_days(for_organization uuid) returns table (date date)
language sql stable security invoker set search_path = ''
as $$
  select d::date
  from tollgate.period_schedules o
  join tollgate.period_schedules n on n.organization_id = o.organization_id and n.valid_from = o.valid_to
  cross join lateral generate_series(date_trunc('day', n.valid_from at time zone n.time_zone),
    date_trunc('day', n.valid_from at time zone o.time_zone) - interval '1 day', '1 day') d
  where o.organization_id = for_organization and o.valid_to < 'infinity'
$$;

-- Purpose: add the sums of one partition's exceptional entries to sealed_postings. Parameters: partition (name of the table).
-- Returns: nothing. Locks: rows of sealed_postings; the caller holds the lock of the books.
-- Invariant: as write_closing_figures, which calls it: once for a partition, in the transaction that drops it.
create function tollgate.seal_postings(partition text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  execute format($sql$
    insert into tollgate.sealed_postings as t (
      organization_id, period_start, original_period_start, date, model, user_id, input_tokens, output_tokens, cost_usd,
      charge_usd, message_count, event_count, unpriced_events)
    select e.organization_id, e.period_start, coalesce(e.original_period_start, e.period_start), e.usage_date, e.model,
      e.user_id, sum(e.input_tokens), sum(e.output_tokens), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0),
      sum(e.message_count), sum(e.event_count), sum(e.unpriced_events)
    from tollgate.%I e
    where e.original_period_start is not null or (e.organization_id, e.usage_date) in (
      select o.organization_id, d.date
      from (select distinct h.organization_id from tollgate.period_schedules h) o
      cross join lateral tollgate.shared_days(o.organization_id) d)
    group by 1, 2, 3, 4, 5, 6
    on conflict (organization_id, period_start, original_period_start, date, model, user_id) do update set
      input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      message_count = t.message_count + excluded.message_count,
      event_count = t.event_count + excluded.event_count,
      unpriced_events = t.unpriced_events + excluded.unpriced_events$sql$, partition);
end
$$;
