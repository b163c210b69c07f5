-- For BI tools: the rollups under stable names. They run with the reader's rights, so that row level security holds.
create view public.usage_daily_by_model with (security_invoker = true) as
  select m.organization_id, m.date, m.model, m.user_id, m.total_tokens as tokens_used, m.input_tokens, m.output_tokens,
    m.cache_read_input_tokens, m.cache_creation_input_tokens, m.reasoning_output_tokens,
    case when m.unpriced_events < m.event_count or m.event_count = 0 then m.cost_usd end as cost_usd,
    case when m.unpriced_events < m.event_count or m.event_count = 0 then m.charge_usd end as charge_usd,
    m.message_count, m.event_count, m.unpriced_events
  from tollgate.usage_by_model m;

create view public.usage_daily_by_user with (security_invoker = true) as
  select m.organization_id, m.date, m.user_id, m.tokens_used, m.input_tokens, m.output_tokens,
    case when m.unpriced_events < m.event_count or m.event_count = 0 then m.cost_usd end as cost_usd,
    case when m.unpriced_events < m.event_count or m.event_count = 0 then m.charge_usd end as charge_usd,
    m.message_count, m.event_count, m.unpriced_events
  from public.usage_metrics m;

revoke all on public.usage_daily_by_model, public.usage_daily_by_user from public, anon;
grant select on public.usage_daily_by_model, public.usage_daily_by_user to authenticated, service_role;
