-- Purpose: what usage_metrics has to say of a day. Parameters: for_organization, for_date. Returns: a row a user. Reads only.
create function tollgate.fold_usage_metrics(for_organization uuid, for_date date)
returns table (user_id uuid, tokens_used bigint, input_tokens bigint, output_tokens bigint, cost_usd numeric,
  charge_usd numeric, message_count bigint, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select d.user_id, sum(d.total_tokens)::bigint, sum(d.input_tokens)::bigint, sum(d.output_tokens)::bigint,
    coalesce(sum(d.cost_usd), 0), coalesce(sum(d.charge_usd), 0), sum(d.message_count)::bigint,
    sum(d.event_count)::bigint, sum(d.unpriced_events)::bigint
  from tollgate.day_entries d
  where d.organization_id = for_organization and d.date = for_date
  group by d.user_id
$$;

-- Purpose: what usage_by_model has to say of a day. Parameters: as above. Returns: a row a model and user. Reads only.
create function tollgate.fold_usage_by_model(for_organization uuid, for_date date)
returns table (model text, user_id uuid, input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint, reasoning_output_tokens bigint, total_tokens bigint, cost_usd numeric,
  charge_usd numeric, message_count bigint, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select d.model, d.user_id, sum(d.input_tokens)::bigint, sum(d.output_tokens)::bigint,
    sum(d.cache_read_input_tokens)::bigint, sum(d.cache_creation_input_tokens)::bigint,
    sum(d.reasoning_output_tokens)::bigint, sum(d.total_tokens)::bigint, coalesce(sum(d.cost_usd), 0),
    coalesce(sum(d.charge_usd), 0), sum(d.message_count)::bigint, sum(d.event_count)::bigint,
    sum(d.unpriced_events)::bigint
  from tollgate.day_entries d
  where d.organization_id = for_organization and d.date = for_date
  group by d.model, d.user_id
$$;

-- Purpose: what usage_by_organization_model has to say of a day. Parameters: as above. Returns: a row a model. Reads only.
create function tollgate.fold_organization_models(for_organization uuid, for_date date)
returns table (model text, input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint, reasoning_output_tokens bigint, total_tokens bigint, cost_usd numeric,
  charge_usd numeric, message_count bigint, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select f.model, sum(f.input_tokens)::bigint, sum(f.output_tokens)::bigint, sum(f.cache_read_input_tokens)::bigint,
    sum(f.cache_creation_input_tokens)::bigint, sum(f.reasoning_output_tokens)::bigint, sum(f.total_tokens)::bigint,
    sum(f.cost_usd), sum(f.charge_usd), sum(f.message_count)::bigint, sum(f.event_count)::bigint,
    sum(f.unpriced_events)::bigint
  from tollgate.fold_usage_by_model(for_organization, for_date) f
  group by f.model
$$;

grant execute on function
  tollgate.fold_usage_metrics, tollgate.fold_usage_by_model, tollgate.fold_organization_models
  to tollgate_usage_worker, service_role;
