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

-- Purpose: the totals of one span. Parameters: organization, person (null: everybody whom the caller may see), first_day,
--   end_day (exclusive). Returns: one row; cost and charge null where nothing is priced. Reads rollups and the index of
--   sessions, with the caller's rights; plans know whether it is one person, and hash the users instead of sorting rows.
create function tollgate.sum_span(organization uuid, person uuid, first_day date, end_day date)
returns table (tokens numeric, cost numeric, charge numeric, messages numeric, users bigint, unpriced numeric, sessions bigint)
language plpgsql stable security invoker set search_path = '' set enable_sort = off set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  -- Settled here: rows are found by them in the index, which a policy forbids to expressions that it cannot vouch for.
  first_at timestamptz := tollgate.report_day_start(organization, first_day);
  end_at timestamptz := tollgate.report_day_start(organization, end_day);
begin
  return query
    select coalesce(t.tokens, 0), case when t.unpriced < t.events or t.events is null or t.events = 0 then coalesce(t.cost, 0) end,
      case when t.unpriced < t.events or t.events is null or t.events = 0 then coalesce(t.charge, 0) end,
      coalesce(t.messages, 0), t.users, coalesce(t.unpriced, 0),
      (select count(*) from public.chat_sessions c
        where c.organization_id = organization and c.started_at >= first_at and c.started_at < end_at
          and (person is null or c.user_id = person))
    from (
      select sum(u.tokens) as tokens, sum(u.cost) as cost, sum(u.charge) as charge, sum(u.messages) as messages,
        sum(u.events) as events, sum(u.unpriced) as unpriced, count(*) filter (where u.is_active) as users
      from (
        select sum(m.tokens_used) as tokens, sum(m.cost_usd) as cost, sum(m.charge_usd) as charge,
          sum(m.message_count) as messages, sum(m.event_count) as events, sum(m.unpriced_events) as unpriced,
          bool_or(m.tokens_used > 0) as is_active
        from (
          select f.user_id, f.total_tokens as tokens_used, f.cost_usd, f.charge_usd, f.message_count, f.event_count, f.unpriced_events
          from tollgate.report_parts(organization, first_day, end_day, true) p join tollgate.usage_by_month f
            on f.organization_id = organization and f.month >= p.first_day and f.month < p.end_day
          where p.is_folded and f.model is null and (person is null or f.user_id = person)
          union all
          select d.user_id, d.tokens_used, d.cost_usd, d.charge_usd, d.message_count, d.event_count, d.unpriced_events
          from tollgate.report_parts(organization, first_day, end_day, true) p join public.usage_metrics d
            on d.organization_id = organization and d.date >= p.first_day and d.date < p.end_day
          where not p.is_folded and (person is null or d.user_id = person)) m
        group by m.user_id) u) t;
end
$$;

grant execute on function tollgate.previous_span_start, tollgate.sum_span to authenticated, service_role;

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
    select (q).organization_id, (q).start_date, (q).end_date, (q).end_date - (q).start_date as days,
      tollgate.previous_span_start(q, (tollgate.unwrap(query) ->> 'previous_start')::date) as before_date,
      -- Whoever sees the own usage alone asks for it, as in report_usage.
      coalesce((q).user_id, case when not tollgate.may_read_organization((q).organization_id) then auth.uid() end) as user_id
    from (select tollgate.read_report_query(tollgate.unwrap(query) || '{"bucket": "total"}') as q) r
  )
  select n.tokens::text, n.cost::text, n.charge::text, n.messages::text, n.users::text, n.sessions::text, n.unpriced::text,
    b.tokens::text, b.cost::text, b.charge::text, b.messages::text, b.users::text, b.sessions::text, b.unpriced::text
  from asked a
  cross join lateral tollgate.sum_span(a.organization_id, a.user_id, a.start_date, a.end_date) n
  cross join lateral tollgate.sum_span(a.organization_id, a.user_id, a.before_date, a.before_date + a.days) b
$$;

revoke execute on function public.report_summary from public, anon;
grant execute on function public.report_summary to authenticated, service_role;
