-- Purpose: where the rollups of a day differ from ledger and closing figures. Parameters: for_organization, for_date.
-- Returns: a row a rollup row that is off or missing: rollup, user_id, model, session_id (where they are part of its key),
--   tokens_off and cost_off (what the rollup has too little). Locks: none. Reads only.
-- Invariant: one statement, so one snapshot: since ledger and rollups change in one transaction, ingestion under way is
--   never taken for a drift. What was there before Tollgate is no drift, until and after it is posted as opening balance.
create function tollgate.find_day_drift(for_organization uuid, for_date date)
returns table (rollup text, user_id uuid, model text, session_id text, tokens_off bigint, cost_off numeric)
language sql stable security invoker set search_path = ''
as $$
  with metrics as (
    select m.* from public.usage_metrics m where m.organization_id = for_organization and m.date = for_date
  ), models as (
    select m.* from tollgate.usage_by_model m where m.organization_id = for_organization and m.date = for_date
  ), known as (
    select (i.installed_at at time zone 'UTC')::date > for_date as is_before from tollgate.installation i
  )
  select 'usage_metrics', user_id, null::text, null::text,
    coalesce(f.tokens_used, 0) - coalesce(m.tokens_used, 0), coalesce(f.cost_usd, 0) - coalesce(m.cost_usd, 0)
  from tollgate.fold_usage_metrics(for_organization, for_date) f full join metrics m using (user_id)
  where not (f.tokens_used is null and (select k.is_before from known k))
    and not exists (
      select from tollgate.preexisting_usage p
      where p.organization_id = for_organization and p.date = for_date and p.user_id = m.user_id)
    and row(coalesce(f.tokens_used, 0), coalesce(f.input_tokens, 0), coalesce(f.output_tokens, 0), coalesce(f.cost_usd, 0),
        coalesce(f.charge_usd, 0), coalesce(f.message_count, 0), coalesce(f.event_count, 0), coalesce(f.unpriced_events, 0))
      is distinct from row(m.tokens_used, m.input_tokens, m.output_tokens, m.cost_usd, m.charge_usd, m.message_count,
        m.event_count, m.unpriced_events)
  union all
  select 'usage_by_model', user_id, model, null,
    coalesce(f.total_tokens, 0) - coalesce(m.total_tokens, 0), coalesce(f.cost_usd, 0) - coalesce(m.cost_usd, 0)
  from tollgate.fold_usage_by_model(for_organization, for_date) f full join models m using (model, user_id)
  where row(coalesce(f.total_tokens, 0), coalesce(f.input_tokens, 0), coalesce(f.output_tokens, 0),
        coalesce(f.cache_read_input_tokens, 0), coalesce(f.cache_creation_input_tokens, 0),
        coalesce(f.reasoning_output_tokens, 0), coalesce(f.cost_usd, 0), coalesce(f.charge_usd, 0),
        coalesce(f.message_count, 0), coalesce(f.event_count, 0), coalesce(f.unpriced_events, 0))
      is distinct from row(m.total_tokens, m.input_tokens, m.output_tokens, m.cache_read_input_tokens,
        m.cache_creation_input_tokens, m.reasoning_output_tokens, m.cost_usd, m.charge_usd, m.message_count,
        m.event_count, m.unpriced_events)
  union all
  select 'usage_by_organization_model', null, model, null,
    coalesce(f.total_tokens, 0) - coalesce(m.total_tokens, 0), coalesce(f.cost_usd, 0) - coalesce(m.cost_usd, 0)
  from tollgate.fold_organization_models(for_organization, for_date) f
  full join (
    select o.* from tollgate.usage_by_organization_model o
    where o.organization_id = for_organization and o.date = for_date) m using (model)
  where row(coalesce(f.total_tokens, 0), coalesce(f.input_tokens, 0), coalesce(f.output_tokens, 0),
        coalesce(f.cache_read_input_tokens, 0), coalesce(f.cache_creation_input_tokens, 0),
        coalesce(f.reasoning_output_tokens, 0), coalesce(f.cost_usd, 0), coalesce(f.charge_usd, 0),
        coalesce(f.message_count, 0), coalesce(f.event_count, 0), coalesce(f.unpriced_events, 0))
      is distinct from row(m.total_tokens, m.input_tokens, m.output_tokens, m.cache_read_input_tokens,
        m.cache_creation_input_tokens, m.reasoning_output_tokens, m.cost_usd, m.charge_usd, m.message_count,
        m.event_count, m.unpriced_events)
  union all
  select 'chat_sessions', e.user_id, null, e.session_id, sum(e.total_tokens)::bigint, coalesce(sum(e.cost_usd), 0)
  from tollgate.usage_events e
  where e.organization_id = for_organization and e.usage_date = for_date and e.entry <> 'opening_balance'
    and not exists (
      select from public.chat_sessions s
      where s.organization_id = for_organization and s.user_id = e.user_id and s.librechat_session_id = e.session_id)
  group by e.user_id, e.session_id
  union all
  select 'period_totals', null, null, null, sum(e.total_tokens)::bigint, coalesce(sum(e.cost_usd), 0)
  from tollgate.usage_events e
  where e.organization_id = for_organization and e.usage_date = for_date
    and not exists (
      select from tollgate.period_totals t
      where t.organization_id = for_organization and t.period_start = e.period_start)
  group by e.period_start
$$;

grant execute on function tollgate.find_day_drift to tollgate_usage_worker, service_role;
