-- Purpose: the totals of a span and of the span before it, as tiles show them. Parameters: query = { organization_id,
--   start, end (ISO days of the organization, end exclusive), user_id? }.
-- Returns: one row; each figure with the same of as many days before as `previous_…`; counts as text; cost null where
--   nothing is priced. Reads rollups, with the caller's rights: row level security decides.
create function public.report_summary(query jsonb)
returns table (
  tokens_used text, cost_usd text, charge_usd text, message_count text, active_users text, sessions text,
  unpriced_events text, previous_tokens_used text, previous_cost_usd text, previous_charge_usd text,
  previous_message_count text, previous_active_users text, previous_sessions text, previous_unpriced_events text)
language sql stable security invoker set search_path = '' set jit = off
as $$
  with asked as materialized (
    select (q).organization_id, (q).start_date, (q).end_date, (q).user_id,
      (q).start_date - ((q).end_date - (q).start_date) as before_date
    from (select tollgate.read_report_query(tollgate.unwrap(query) || '{"bucket": "total"}') as q) r
  ), usage as (
    select m.date >= a.start_date as is_current, sum(m.tokens_used) as tokens, sum(m.cost_usd) as cost,
      sum(m.charge_usd) as charge, sum(m.message_count) as messages, sum(m.event_count) as events,
      sum(m.unpriced_events) as unpriced, count(distinct m.user_id) filter (where m.tokens_used > 0) as users
    from asked a join public.usage_metrics m on m.organization_id = a.organization_id
      and m.date >= a.before_date and m.date < a.end_date and (a.user_id is null or m.user_id = a.user_id)
    group by 1
  ), session as (
    select s.started_at >= tollgate.report_day_start(a.organization_id, a.start_date) as is_current, count(*) as sessions
    from asked a join public.chat_sessions s on s.organization_id = a.organization_id
      and s.started_at >= tollgate.report_day_start(a.organization_id, a.before_date)
      and s.started_at < tollgate.report_day_start(a.organization_id, a.end_date)
      and (a.user_id is null or s.user_id = a.user_id)
    group by 1
  )
  select coalesce(n.tokens, 0)::text, case when n.unpriced = n.events and n.events > 0 then null else coalesce(n.cost, 0) end::text,
    case when n.unpriced = n.events and n.events > 0 then null else coalesce(n.charge, 0) end::text,
    coalesce(n.messages, 0)::text, coalesce(n.users, 0)::text, coalesce(s.sessions, 0)::text, coalesce(n.unpriced, 0)::text,
    coalesce(b.tokens, 0)::text, case when b.unpriced = b.events and b.events > 0 then null else coalesce(b.cost, 0) end::text,
    case when b.unpriced = b.events and b.events > 0 then null else coalesce(b.charge, 0) end::text,
    coalesce(b.messages, 0)::text, coalesce(b.users, 0)::text, coalesce(o.sessions, 0)::text, coalesce(b.unpriced, 0)::text
  from asked a
  left join usage n on n.is_current
  left join usage b on not b.is_current
  left join session s on s.is_current
  left join session o on not o.is_current
$$;

revoke execute on function public.report_summary from public, anon;
grant execute on function public.report_summary to authenticated, service_role;
