-- Purpose: one group of a statement's lines as JSON. Parameters: line (sums). Returns: an object; counts and money are text,
--   money null where nothing of the line has a price.
create function tollgate.dress_statement_line(
  input_tokens numeric, output_tokens numeric, cost_usd numeric, charge_usd numeric, message_count numeric,
  event_count numeric, unpriced_events numeric) returns jsonb
language sql stable parallel safe
return jsonb_build_object('tokens_used', (input_tokens + output_tokens)::text, 'input_tokens', input_tokens::text,
  'output_tokens', output_tokens::text,
  'cost_usd', tollgate.known_amount(cost_usd, cost_usd, event_count, unpriced_events)::text,
  'charge_usd', tollgate.known_amount(charge_usd, cost_usd, event_count, unpriced_events)::text,
  'message_count', message_count::text, 'event_count', event_count::text, 'unpriced_events', unpriced_events::text);

-- Purpose: an organization's periods that have a total, newest first. Parameters: query = { organization_id }.
-- Returns: a row a period: state is frozen (closed), over (ended, still taking late usage) or open; amounts as text.
-- Security definer: as report_statement, which it lists.
create function public.report_periods(query jsonb)
returns table (period_start timestamptz, period_end timestamptz, first_day date, last_day date, state text,
  used_tokens text, cost_usd text, charge_usd text, unpriced_events text)
language sql stable security definer set search_path = ''
as $$
  select t.period_start, p.period_end, (t.period_start at time zone p.time_zone)::date,
    (p.period_end at time zone p.time_zone)::date - 1,
    case when s.closed_at is not null then 'frozen' when p.period_end <= now() then 'over' else 'open' end,
    t.used_tokens::text, tollgate.known_amount(t.cost_usd, t.cost_usd, t.event_count, n.unpriced_events)::text,
    tollgate.known_amount(t.charge_usd, t.cost_usd, t.event_count, n.unpriced_events)::text, n.unpriced_events::text
  from (select (tollgate.unwrap(query) ->> 'organization_id')::uuid as organization_id) a
  join tollgate.period_totals t on t.organization_id = a.organization_id
  cross join lateral tollgate.organization_period(a.organization_id, t.period_start) p
  cross join lateral (
    select t.unpriced_events + tollgate.newly_priced(a.organization_id, t.period_start) as unpriced_events) n
  left join tollgate.period_statements s on s.organization_id = t.organization_id and s.period_start = t.period_start
  where (select tollgate.may_read_organization(a.organization_id))
  order by t.period_start desc
$$;

-- Purpose: the statement of a period, as it is printed. Parameters: query = { organization_id, day? (an ISO day of the
--   organization that lies in the period; the present day without it) }.
-- Returns: one row, or none for whoever may not read the organization. total is the frozen one where the period is closed,
--   else what it is up to now. models and users are lines of the period's own usage, earlier of what belongs to closed
--   periods and posted here, by period and model; models and earlier together add up to the total, users and earlier too.
--   later: what belongs to this period and posted to later ones. Counts and money are text, null money has no price. A line
--   of earlier whose unpriced_events are negative has got its price here: no total counts that against its own.
-- Security definer: statements and closing figures are no rows that a tenant may read; an organization's admin and
--   super_admin see them.
create function public.report_statement(query jsonb)
returns table (organization_id uuid, name text, domain text, plan_type text, time_zone text, period_start timestamptz,
  period_end timestamptz, first_day date, last_day date, state text, closed_at timestamptz, total jsonb, models jsonb,
  users jsonb, earlier jsonb, later jsonb, as_of timestamptz)
language plpgsql stable security definer set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
  day date := (asked ->> 'day')::date;
  period record;
begin
  if not tollgate.may_read_organization(organization) then return; end if;
  -- Noon of the organization's own clock lies on the day whatever daylight saving does.
  select p.* into period
  from tollgate.schedules_of(organization) h
  cross join lateral (select case when day is null then now()
    else (day + time '12:00') at time zone h.time_zone end as at) i
  cross join lateral tollgate.organization_period(organization, i.at) p
  where h.valid_from <= i.at and i.at < h.valid_to
  order by h.valid_from desc limit 1;
  return query
    with folded as materialized (
      select f.* from tollgate.fold_statement(organization, period.period_start) f
    ), lines as materialized (
      select f.* from folded f where f.posted_to = period.period_start
    ), names as (
      select v.user_id, v.user_name from tollgate.visible_members(organization) v
    ), by_model as (
      select l.model, sum(l.input_tokens + l.output_tokens) as tokens, tollgate.dress_statement_line(sum(l.input_tokens),
        sum(l.output_tokens), sum(l.cost_usd), sum(l.charge_usd), sum(l.message_count), sum(l.event_count),
        sum(l.unpriced_events)) as figures
      from lines l where l.own_period = period.period_start group by l.model
    ), by_user as (
      select l.user_id, n.user_name, sum(l.input_tokens + l.output_tokens) as tokens, tollgate.dress_statement_line(
        sum(l.input_tokens), sum(l.output_tokens), sum(l.cost_usd), sum(l.charge_usd), sum(l.message_count),
        sum(l.event_count), sum(l.unpriced_events)) as figures
      from lines l left join names n on n.user_id = l.user_id
      where l.own_period = period.period_start group by l.user_id, n.user_name
    ), by_period as (
      select l.own_period, l.model, -least(sum(l.unpriced_events), 0) as newly_priced, tollgate.dress_statement_line(sum(l.input_tokens), sum(l.output_tokens),
        sum(l.cost_usd), sum(l.charge_usd), sum(l.message_count), sum(l.event_count), sum(l.unpriced_events)) as figures
      from lines l where l.own_period <> period.period_start group by l.own_period, l.model
    ), postponed as (
      select f.posted_to, tollgate.dress_statement_line(sum(f.input_tokens), sum(f.output_tokens), sum(f.cost_usd),
        sum(f.charge_usd), sum(f.message_count), sum(f.event_count), sum(f.unpriced_events)) as figures
      from folded f where f.posted_to <> period.period_start group by f.posted_to
    )
    select o.organization_id, o.name, o.domain, o.plan_type, period.time_zone, period.period_start, period.period_end,
      (period.period_start at time zone period.time_zone)::date,
      (period.period_end at time zone period.time_zone)::date - 1,
      case when s.closed_at is not null then 'frozen' when period.period_end <= now() then 'over' else 'open' end, s.closed_at,
      tollgate.statement_total(s, t, (select coalesce(sum(e.newly_priced), 0) from by_period e)),
      (select coalesce(jsonb_agg(m.figures || jsonb_build_object('model', m.model) order by m.tokens desc, m.model), '[]')
        from by_model m),
      (select coalesce(jsonb_agg(u.figures || jsonb_build_object('user_id', u.user_id, 'user_name', u.user_name)
        order by u.tokens desc, u.user_name, u.user_id), '[]') from by_user u),
      (select coalesce(jsonb_agg(e.figures || jsonb_build_object('period_start', e.own_period, 'model', e.model)
        order by e.own_period, e.model), '[]') from by_period e),
      (select coalesce(jsonb_agg(l.figures || jsonb_build_object('period_start', l.posted_to) order by l.posted_to), '[]')
        from postponed l),
      now()
    from tollgate.directory_organizations o
    left join tollgate.period_totals t on t.organization_id = organization and t.period_start = period.period_start
    left join tollgate.period_statements s on s.organization_id = organization and s.period_start = period.period_start
    where o.organization_id = organization;
end
$$;

-- Purpose: the total of a statement: the frozen one, else the present one. Parameters: frozen, present (either may be null);
--   newly_priced (see the function of that name). Returns: an object as the lines' are, without kinds of LLM tokens and
--   messages, which totals do not keep.
create function tollgate.statement_total(frozen tollgate.period_statements, present tollgate.period_totals,
  newly_priced numeric) returns jsonb
language sql stable parallel safe
return (
  select jsonb_build_object('tokens_used', f.used_tokens::text,
    'cost_usd', tollgate.known_amount(f.cost_usd, f.cost_usd, f.event_count, f.unpriced_events)::text,
    'charge_usd', tollgate.known_amount(f.charge_usd, f.cost_usd, f.event_count, f.unpriced_events)::text,
    'event_count', f.event_count::text, 'unpriced_events', f.unpriced_events::text)
  from (select
    coalesce((frozen).used_tokens, (present).used_tokens, 0) as used_tokens,
    coalesce((frozen).cost_usd, (present).cost_usd, 0) as cost_usd,
    coalesce((frozen).charge_usd, (present).charge_usd, 0) as charge_usd,
    coalesce((frozen).event_count, (present).event_count, 0) as event_count,
    coalesce((frozen).unpriced_events, (present).unpriced_events, 0) + newly_priced as unpriced_events) f);

revoke execute on function public.report_periods, public.report_statement from public, anon;
grant execute on function public.report_periods, public.report_statement to authenticated, service_role;
