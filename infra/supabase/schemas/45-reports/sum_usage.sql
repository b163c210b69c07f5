-- Purpose: the bucket that a day falls into, as its beginning: rows are grouped by times, which cost a fraction of texts.
-- Parameters: day, bucket (day | month | total). Returns: timestamp, null for the total.
create function tollgate.report_day(day date, bucket text) returns timestamp
language sql immutable parallel safe
return case bucket when 'day' then day::timestamp when 'month' then date_trunc('month', day::timestamp) end;

-- Purpose: its name. Parameters: as above, day being the beginning. Returns: ISO date or month, null for the total.
-- Stable as to_char is: a function that claims more than its body is called for every row instead of becoming part of the query.
create function tollgate.report_bucket(day timestamp, bucket text) returns text
language sql stable parallel safe
return case bucket when 'day' then to_char(day, 'YYYY-MM-DD') when 'month' then to_char(day, 'YYYY-MM') end;

-- Purpose: the parts of a span that are read in one go: months that are folded, and the days before, between and after them.
-- Parameters: organization, first_day, end_day (exclusive), by_month (false: all by the day). Returns: a row a part. Runs with
--   the caller's rights. Whoever sees the own usage alone sees the own months alone: in another one that is folded the caller
--   has no usage, by the day neither.
create function tollgate.report_parts(organization uuid, first_day date, end_day date, by_month boolean)
returns table (first_day date, end_day date, is_folded boolean)
language sql stable security invoker set search_path = '' rows 3
as $$
  select greatest(min(g.month), report_parts.first_day), least((max(g.month) + interval '1 month')::date, report_parts.end_day),
    g.is_folded
  from (
    select m.month, m.is_folded, m.month - row_number() over (partition by m.is_folded order by m.month) * interval '1 month' as run
    from (
      select s::date as month, by_month and s >= report_parts.first_day and s + interval '1 month' <= report_parts.end_day
        and exists (
          select from tollgate.usage_by_month f where f.organization_id = organization and f.month = s::date) as is_folded
      from generate_series(date_trunc('month', report_parts.first_day::timestamp), report_parts.end_day - 1, '1 month') s) m) g
  group by g.is_folded, g.run
$$;

-- Purpose: sums of a usage report from the ledger, by the hour. Parameters: q (checked). Returns: rows of the report; the
--   bucket is the hour's beginning, as an instant in UTC. Reads at most two days of one organization, by index, with the
--   caller's rights.
create function tollgate.sum_usage_by_hour(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = ''
as $$
  select to_char(date_trunc('hour', e.time at time zone 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    case when (q).by_model then e.model end, case when (q).by_user then e.user_id end,
    sum(e.input_tokens), sum(e.output_tokens), sum(e.cache_read_input_tokens), sum(e.cache_creation_input_tokens),
    sum(e.reasoning_output_tokens), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.message_count),
    sum(e.event_count), sum(e.unpriced_events)
  from tollgate.usage_events e
  where e.organization_id = (q).organization_id and e.usage_date >= (q).start_date and e.usage_date < (q).end_date
    -- A day of any time zone lies within these: only the months concerned are looked at.
    and e.time >= ((q).start_date::timestamp at time zone 'UTC') - interval '14 hours'
    and e.time < ((q).end_date::timestamp at time zone 'UTC') + interval '12 hours'
    and ((q).user_id is null or e.user_id = (q).user_id) and ((q).model is null or e.model = (q).model)
  group by 1, 2, 3
$$;

-- Purpose: the same from the rollup by user and model. Parameters, returns: as above; the bucket is a day, month or all.
-- Groups are few and rows are many, which the planner cannot know of rows that a policy hides: without sorts it hashes them.
create function tollgate.sum_usage_by_model_and_user(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = '' set enable_sort = off
as $$
  select tollgate.report_bucket(g.day, (q).bucket), g.model, g.user_id, g.input_tokens, g.output_tokens,
    g.cache_read_input_tokens, g.cache_creation_input_tokens, g.reasoning_output_tokens, g.cost_usd, g.charge_usd,
    g.message_count, g.event_count, g.unpriced_events
  from (
    select tollgate.report_day(m.date, (q).bucket) as day, case when (q).by_model then m.model end as model,
      case when (q).by_user then m.user_id end as user_id,
      sum(m.input_tokens) as input_tokens, sum(m.output_tokens) as output_tokens,
      sum(m.cache_read_input_tokens) as cache_read_input_tokens, sum(m.cache_creation_input_tokens) as cache_creation_input_tokens,
      sum(m.reasoning_output_tokens) as reasoning_output_tokens, sum(m.cost_usd) as cost_usd, sum(m.charge_usd) as charge_usd,
      sum(m.message_count) as message_count, sum(m.event_count) as event_count, sum(m.unpriced_events) as unpriced_events
    from tollgate.usage_by_model m
    where m.organization_id = (q).organization_id and m.date >= (q).start_date and m.date < (q).end_date
      and ((q).model is null or m.model = (q).model)
    group by 1, 2, 3) g
$$;

-- Purpose: the same of one user. Parameters: as above; q.user_id is not null. Returns: as above. A condition of its own, so
--   that the others' rows are passed over in the index.
create function tollgate.sum_usage_of_user(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = '' set enable_sort = off
as $$
  select tollgate.report_bucket(g.day, (q).bucket), g.model, g.user_id, g.input_tokens, g.output_tokens,
    g.cache_read_input_tokens, g.cache_creation_input_tokens, g.reasoning_output_tokens, g.cost_usd, g.charge_usd,
    g.message_count, g.event_count, g.unpriced_events
  from (
    select tollgate.report_day(m.date, (q).bucket) as day, case when (q).by_model then m.model end as model,
      case when (q).by_user then m.user_id end as user_id,
      sum(m.input_tokens) as input_tokens, sum(m.output_tokens) as output_tokens,
      sum(m.cache_read_input_tokens) as cache_read_input_tokens, sum(m.cache_creation_input_tokens) as cache_creation_input_tokens,
      sum(m.reasoning_output_tokens) as reasoning_output_tokens, sum(m.cost_usd) as cost_usd, sum(m.charge_usd) as charge_usd,
      sum(m.message_count) as message_count, sum(m.event_count) as event_count, sum(m.unpriced_events) as unpriced_events
    from tollgate.usage_by_model m
    where m.organization_id = (q).organization_id and m.date >= (q).start_date and m.date < (q).end_date
      and m.user_id = (q).user_id and ((q).model is null or m.model = (q).model)
    group by 1, 2, 3) g
$$;

-- Purpose: the same from the rollup by model, which knows no users, and its folded months. Parameters, returns: as above.
create function tollgate.sum_usage_by_model(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = '' set enable_sort = off
as $$
  with part as materialized (
    select p.* from tollgate.report_parts((q).organization_id, (q).start_date, (q).end_date, (q).bucket <> 'day') p
  )
  select tollgate.report_bucket(g.day, (q).bucket), g.model, g.user_id, g.input_tokens, g.output_tokens,
    g.cache_read_input_tokens, g.cache_creation_input_tokens, g.reasoning_output_tokens, g.cost_usd, g.charge_usd,
    g.message_count, g.event_count, g.unpriced_events
  from (
    select tollgate.report_day(m.date, (q).bucket) as day, case when (q).by_model then m.model end as model, null::uuid as user_id,
      sum(m.input_tokens) as input_tokens, sum(m.output_tokens) as output_tokens,
      sum(m.cache_read_input_tokens) as cache_read_input_tokens, sum(m.cache_creation_input_tokens) as cache_creation_input_tokens,
      sum(m.reasoning_output_tokens) as reasoning_output_tokens, sum(m.cost_usd) as cost_usd, sum(m.charge_usd) as charge_usd,
      sum(m.message_count) as message_count, sum(m.event_count) as event_count, sum(m.unpriced_events) as unpriced_events
    from (
      select f.month as date, f.model, f.input_tokens, f.output_tokens, f.cache_read_input_tokens,
        f.cache_creation_input_tokens, f.reasoning_output_tokens, f.cost_usd, f.charge_usd, f.message_count, f.event_count,
        f.unpriced_events
      from part p join tollgate.usage_by_month f
        on f.organization_id = (q).organization_id and f.month >= p.first_day and f.month < p.end_day
      where p.is_folded and f.user_id is null
      union all
      select d.date, d.model, d.input_tokens, d.output_tokens, d.cache_read_input_tokens, d.cache_creation_input_tokens,
        d.reasoning_output_tokens, d.cost_usd, d.charge_usd, d.message_count, d.event_count, d.unpriced_events
      from part p join tollgate.usage_by_organization_model d
        on d.organization_id = (q).organization_id and d.date >= p.first_day and d.date < p.end_day
      where not p.is_folded) m
    where (q).model is null or m.model = (q).model
    group by 1, 2) g
$$;

-- Purpose: the same from usage_metrics, which knows no models and no kinds of input, and its folded months. Parameters,
--   returns: as above.
create function tollgate.sum_usage_by_user(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = '' set enable_sort = off
as $$
  with part as materialized (
    select p.* from tollgate.report_parts((q).organization_id, (q).start_date, (q).end_date, (q).bucket <> 'day') p
  )
  select tollgate.report_bucket(g.day, (q).bucket), g.model, g.user_id, g.input_tokens, g.output_tokens,
    g.cache_read_input_tokens, g.cache_creation_input_tokens, g.reasoning_output_tokens, g.cost_usd, g.charge_usd,
    g.message_count, g.event_count, g.unpriced_events
  from (
    select tollgate.report_day(m.date, (q).bucket) as day, null::text as model, case when (q).by_user then m.user_id end as user_id,
      sum(m.input_tokens) as input_tokens, sum(m.output_tokens) as output_tokens, null::bigint as cache_read_input_tokens,
      null::bigint as cache_creation_input_tokens, null::bigint as reasoning_output_tokens, sum(m.cost_usd) as cost_usd,
      sum(m.charge_usd) as charge_usd, sum(m.message_count) as message_count, sum(m.event_count) as event_count,
      sum(m.unpriced_events) as unpriced_events
    from (
      select f.month as date, f.user_id, f.input_tokens, f.output_tokens, f.cost_usd, f.charge_usd, f.message_count,
        f.event_count, f.unpriced_events
      from part p join tollgate.usage_by_month f
        on f.organization_id = (q).organization_id and f.month >= p.first_day and f.month < p.end_day
      where p.is_folded and f.model is null and ((q).user_id is null or f.user_id = (q).user_id)
      union all
      select d.date, d.user_id, d.input_tokens, d.output_tokens, d.cost_usd, d.charge_usd, d.message_count, d.event_count,
        d.unpriced_events
      from part p join public.usage_metrics d
        on d.organization_id = (q).organization_id and d.date >= p.first_day and d.date < p.end_day
      where not p.is_folded and ((q).user_id is null or d.user_id = (q).user_id)) m
    group by 1, 3) g
$$;

-- Purpose: sums of a usage report from the smallest table that knows enough. Parameters: q (checked); is_whole: whether who
--   asks sees the whole organization, and with it the rollup that knows no users. Returns: as above.
-- Invariant: which table is read, and which months are folded, never changes a figure: all are folds of the same ledger.
create function tollgate.sum_usage(q tollgate.usage_report_query, is_whole boolean) returns setof tollgate.usage_report_row
language plpgsql stable security invoker set search_path = ''
as $$
begin
  if (q).bucket = 'hour' then
    return query select * from tollgate.sum_usage_by_hour(q);
  elsif (q).by_user and not (q).by_model and not (q).by_token_kind and (q).model is null then
    return query select * from tollgate.sum_usage_by_user(q);
  elsif (q).user_id is not null then
    return query select * from tollgate.sum_usage_of_user(q);
  elsif not (q).by_user and is_whole then
    return query select * from tollgate.sum_usage_by_model(q);
  else
    return query select * from tollgate.sum_usage_by_model_and_user(q);
  end if;
end
$$;

grant execute on function tollgate.report_day, tollgate.report_bucket, tollgate.report_parts, tollgate.sum_usage_by_hour,
  tollgate.sum_usage_by_model_and_user, tollgate.sum_usage_of_user, tollgate.sum_usage_by_model, tollgate.sum_usage_by_user,
  tollgate.sum_usage to authenticated, service_role, tollgate_token_api;
