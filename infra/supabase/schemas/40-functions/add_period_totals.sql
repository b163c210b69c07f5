-- Purpose: add ledger entries to the totals of their periods. Parameters: entries; with_due_users (organizations of which a user
--   became due by them, from mark_due_users).
-- Returns: jsonb array of { organization_id, period_start, used_tokens (text), evaluate }, one for each total touched;
--   evaluate = this total, or that of a user with a limit, has reached a value that could change a decision.
-- Locks: rows of period_totals in the order of their primary key, last of all: they are the hottest.
-- Invariant: a period's total is the fold of the ledger. Late usage of a past period never wakes the enforcer.
create function tollgate.add_period_totals(fresh tollgate.judged_event[], with_due_users uuid[]) returns jsonb
language sql volatile security invoker set search_path = ''
as $$
  with added as (
    select
      f.organization_id, f.period_start, bool_or(f.is_current_period) as is_current,
      sum(f.total_tokens) as used_tokens, coalesce(sum(f.cost_usd), 0) as cost_usd,
      coalesce(sum(f.charge_usd), 0) as charge_usd, sum(f.event_count) as event_count,
      sum(f.unpriced_events) as unpriced_events
    from unnest(fresh) f
    group by f.organization_id, f.period_start
  ), total as (
    insert into tollgate.period_totals as t (
      organization_id, period_start, used_tokens, cost_usd, charge_usd, event_count, unpriced_events)
    select a.organization_id, a.period_start, a.used_tokens, a.cost_usd, a.charge_usd, a.event_count, a.unpriced_events
    from added a
    order by a.organization_id, a.period_start
    on conflict (organization_id, period_start) do update set
      used_tokens = t.used_tokens + excluded.used_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      event_count = t.event_count + excluded.event_count,
      unpriced_events = t.unpriced_events + excluded.unpriced_events,
      -- A total that falls may open the gate again: whatever it is now, it is to be looked at.
      evaluate_at = case when excluded.used_tokens < 0
        then least(0, t.used_tokens + excluded.used_tokens) else t.evaluate_at end,
      updated_at = now()
    returning t.organization_id, t.period_start, t.used_tokens, t.is_due
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'organization_id', t.organization_id,
    'period_start', t.period_start,
    'used_tokens', t.used_tokens::text,
    'evaluate', a.is_current and (t.is_due or t.organization_id = any(with_due_users)))), '[]')
  from total t join added a on a.organization_id = t.organization_id and a.period_start = t.period_start
$$;

grant execute on function tollgate.add_period_totals to tollgate_usage_worker, service_role;
