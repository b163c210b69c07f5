-- Purpose: where the span begins that another one is compared with. Parameters: q (the span), asked (its first day; null: as
--   many days before as the span has). Returns: the day. Errors: 22023 where the two would overlap. Reads nothing.
create function tollgate.previous_span_start(q tollgate.usage_report_query, asked date) returns date
language plpgsql immutable security invoker set search_path = ''
as $$
declare
  days integer := (q).end_date - (q).start_date;
begin
  if asked > (q).start_date - days then
    raise exception 'the span before must end where the span begins, or earlier' using errcode = '22023';
  end if;
  return coalesce(asked, (q).start_date - days);
end
$$;

grant execute on function tollgate.previous_span_start to authenticated, service_role;

-- Purpose: the totals of a span and of an earlier one, as tiles show them. Parameters: query = { organization_id, start, end
--   (ISO days of the organization, end exclusive), user_id?, previous_start? (the first day of the earlier span; absent: it
--   ends where this one begins) }.
-- Returns: one row; each figure with the same of as many days from previous_start on as `previous_…`; counts as text; cost
--   null where nothing is priced. Errors: 22023 where the two spans overlap. Reads rollups, with the caller's rights: row
--   level security decides.
create function public.report_summary(query jsonb)
returns table (
  tokens_used text, cost_usd text, charge_usd text, message_count text, active_users text, sessions text,
  unpriced_events text, previous_tokens_used text, previous_cost_usd text, previous_charge_usd text,
  previous_message_count text, previous_active_users text, previous_sessions text, previous_unpriced_events text)
language sql stable security invoker set search_path = '' set jit = off
as $$
  with asked as materialized (
    select (q).organization_id, (q).start_date, (q).end_date, (q).user_id,
      tollgate.previous_span_start(q, (tollgate.unwrap(query) ->> 'previous_start')::date) as before_date
    from (select tollgate.read_report_query(tollgate.unwrap(query) || '{"bucket": "total"}') as q) r
  ), span as materialized (
    select a.organization_id, a.user_id, s.is_current, s.first_day, s.first_day + (a.end_date - a.start_date) as end_day
    from asked a cross join lateral (values (true, a.start_date), (false, a.before_date)) s (is_current, first_day)
  ), usage as (
    select s.is_current, sum(m.tokens_used) as tokens, sum(m.cost_usd) as cost,
      sum(m.charge_usd) as charge, sum(m.message_count) as messages, sum(m.event_count) as events,
      sum(m.unpriced_events) as unpriced, count(distinct m.user_id) filter (where m.tokens_used > 0) as users
    from span s join public.usage_metrics m on m.organization_id = s.organization_id
      and m.date >= s.first_day and m.date < s.end_day and (s.user_id is null or m.user_id = s.user_id)
    group by 1
  ), session as (
    select s.is_current, count(*) as sessions
    from span s join public.chat_sessions c on c.organization_id = s.organization_id
      and c.started_at >= tollgate.report_day_start(s.organization_id, s.first_day)
      and c.started_at < tollgate.report_day_start(s.organization_id, s.end_day)
      and (s.user_id is null or c.user_id = s.user_id)
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
