-- Purpose: turn a batch of accepted events into typed rows: identity, membership where the API could not check it,
--   time against arrival (35 days late, 5 minutes early), day and period in the organization's time zone, price in force
--   at the event's time, charge with the organization's markup, usage of a revoked organization.
-- Parameters: batch = { "rows": text, "events": [AcceptedEvent, …] } (packages/shared/src/contracts/{usage-rows,events}.ts), of which
--   one may be absent. Rows are usage: a usage_row a line, a third of the work of reading objects.
-- Returns: one row an event, numbered from 1, those of rows first. `rejection` is null or a rejection reason.
-- Invariant: an unknown price gives NULL, never zero. A charge is rounded here, once, half up at 12 decimals; a cost is
--   exact without. Usage after a revocation is flagged, never dropped. Reads only.
create function tollgate.judge_events(batch jsonb) returns setof tollgate.judged_event
language sql stable security invoker set search_path = ''
set enable_nestloop = off -- the planner cannot know how many events a batch has; tables are reached by subqueries alone
as $$
  with event as materialized (
    select 'usage.recorded' as type, r.*, null::jsonb as metadata, null::uuid as login_session_id,
      null::timestamptz as expires_at, null as reason, null::boolean as imported, null::jsonb as corrects,
      null::integer as revision, coalesce(r.provider, '') as provider_key
    from unnest(string_to_array(batch ->> 'rows', E'\n')::tollgate.usage_row[]) with ordinality r
    union all
    select e.type, e.source, e.id, e."time", e.received_at, e.member, e.organization_id, e.user_id, e.session_id,
      e.message_id, e.provider, e.model, e.input_tokens, e.output_tokens, e.cache_read_input_tokens,
      e.cache_creation_input_tokens, e.reasoning_output_tokens, e.message_count, e.reservation_id,
      e.ordinality + (select coalesce(cardinality(string_to_array(batch ->> 'rows', E'\n')), 0)),
      e.metadata, e.login_session_id, e.expires_at, e.reason, e.imported, e.corrects, e.revision, coalesce(e.provider, '')
    from rows from (
      jsonb_to_recordset(batch -> 'events') as (
        type text, organization_id uuid, source text, id text, "time" timestamptz, received_at timestamptz,
        member boolean, user_id uuid, session_id text, message_id text, provider text, model text,
        input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint,
        cache_creation_input_tokens bigint, reasoning_output_tokens bigint, message_count integer,
        metadata jsonb, login_session_id uuid, expires_at timestamptz, reason text, imported boolean,
        corrects jsonb, revision integer, reservation_id uuid)
    ) with ordinality e
  ), zone as materialized (
    -- As markup_percent, revoked_times and schedules_of, which would cost more than all else here where a batch has many
    -- organizations.
    select d.organization_id,
      1 + coalesce((select m.markup_percent from tollgate.markups m where m.organization_id = d.organization_id
        order by m.rank limit 1), 0) / 100 as charge_factor,
      (select range_agg(r.revoked) from tollgate.revocations r where r.organization_id = d.organization_id) as revoked,
      coalesce((
          select array_agg(h) from tollgate.period_schedules h where h.organization_id = d.organization_id),
        array[(d.organization_id, '-infinity', 'infinity', 'UTC', 1, '-infinity')::tollgate.period_schedules]) as schedules
    from (select distinct e.organization_id from event e) d
  ), schedule as materialized (
    select h.*, z.charge_factor, z.revoked, n.current_period_start, n.current_period_end
    from zone z
    cross join lateral (
      select tollgate.scheduled_start(now(), c) as current_period_start, tollgate.scheduled_end(now(), c) as current_period_end
      from unnest(z.schedules) c where c.valid_from <= now() and now() < c.valid_to) n
    cross join lateral unnest(z.schedules) h
  ), candidate as materialized (
    select n.provider_key, n.model as reported_model, p.*
    from (
      select d.*, array(select p from tollgate.model_prices p
        where p.provider = tollgate.priced_provider(d.provider) and p.model = d.model) as own
      from (select distinct e.provider, e.provider_key, e.model from event e where e.type = 'usage.recorded') d
      offset 0) n
    -- Found by the provider's exact name, as almost all are, resolve_model would find the same and take longer than all else
    -- of a small batch.
    cross join lateral unnest(case when cardinality(n.own) > 0 then n.own else array(
      select p from tollgate.resolve_model(n.provider, n.model) r
      join tollgate.model_prices p on p.provider = r.provider and p.model = r.model) end) p
  ), price as materialized (
    select distinct on (e.ordinality)
      e.ordinality, c.id,
      tollgate.cost_usd(c.input_usd_per_mtok, c.output_usd_per_mtok, c.cache_read_usd_per_mtok,
        c.cache_creation_usd_per_mtok, c.reasoning_usd_per_mtok, e.input_tokens, e.output_tokens,
        e.cache_read_input_tokens, e.cache_creation_input_tokens, e.reasoning_output_tokens) as cost_usd
    from event e
    join candidate c on c.reported_model = e.model and c.provider_key = e.provider_key
      and e.time >= c.valid_from and e.time < c.valid_to and e.input_tokens >= c.min_input_tokens
    order by e.ordinality, (c.origin = 'operator') desc, c.min_input_tokens desc, c.valid_from desc
  )
  select
    e.ordinality, e.type, case when e.type = 'usage.recorded' then 'usage' end, coalesce(e.revision, 0),
    e.organization_id,
    -- A correction bears the digest of what it corrects.
    tollgate.identity_digest(coalesce(e.corrects ->> 'source', e.source), coalesce(e.corrects ->> 'id', e.id)),
    -- Only tells a repeat from a contradiction: eight bytes without a detour through text are enough.
    int8send(hash_record_extended(row(e.user_id, e.session_id, e.model, e.input_tokens, e.output_tokens,
      e.cache_read_input_tokens, e.cache_creation_input_tokens, e.reasoning_output_tokens, e.message_count), 0)),
    e.source, e.id, e.time, e.received_at, coalesce(e.imported, false), coalesce(e.time <@ h.revoked, false),
    e.user_id, e.session_id, e.message_id, e.provider, e.model,
    e.input_tokens, e.output_tokens, e.cache_read_input_tokens, e.cache_creation_input_tokens,
    e.reasoning_output_tokens, e.input_tokens + e.output_tokens, e.message_count,
    1, (p.id is null)::integer, e.metadata, e.login_session_id, e.expires_at, e.reason,
    (e.time at time zone h.time_zone)::date,
    case
      -- Most usage is of the present period: the calendar need not be asked for each event.
      when e.time >= h.current_period_start and e.time < h.current_period_end then h.current_period_start
      when e.time < h.first_end then h.valid_from
      else tollgate.period_start(e.time, h.time_zone, h.anchor_day)
    end,
    null::timestamptz, e.time >= h.current_period_start and e.time < h.current_period_end,
    p.id, p.cost_usd, round(p.cost_usd * h.charge_factor, 12),
    case
      when e.time > e.received_at + interval '5 minutes' then 'too_early'
      when e.time < e.received_at - interval '35 days' and e.imported is not true and e.type <> 'usage.corrected'
        then 'too_late'
      when not e.member then tollgate.membership_fault(e.organization_id, e.user_id, e.type <> 'usage.corrected')
    end,
    e.reservation_id
  from event e
  join schedule h on h.organization_id = e.organization_id and e.time >= h.valid_from and e.time < h.valid_to
  left join price p on p.ordinality = e.ordinality
$$;

grant execute on function tollgate.judge_events to tollgate_usage_worker, service_role;
