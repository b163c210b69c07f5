-- Purpose: set the rollups of a day to the sum of ledger and closing figures. Parameters: for_organization, for_date.
-- Returns: nothing.
-- Locks: a share of the organization's months, usage_by_month, then all rows of the day in usage_metrics, usage_by_model, then the sessions that lack a row, usage_by_organization_model,
--   user_quotas of the day's users (whoever of them has a limit is looked at again), the periods that lack one: each in the order of its key, and one after the other as ingest_usage does.
-- Invariant: recomputed, never incremented. The rows are locked before the ledger is read by a statement of its own: what
--   has not committed by then waits for these locks and adds itself afterwards. A row that nothing explains becomes zero.
--   Only rows that were locked are written: one that comes meanwhile is right, and locking it would break the order.
create function tollgate.repair_day(for_organization uuid, for_date date) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  users public.usage_metrics[];
  models tollgate.usage_by_model[];
  organization_models tollgate.usage_by_organization_model[];
begin
  perform tollgate.unfold_months(array[for_organization], array[for_date]);
  insert into public.usage_metrics (organization_id, user_id, date)
  select for_organization, f.user_id, for_date from tollgate.fold_usage_metrics(for_organization, for_date) f
  order by f.user_id
  on conflict do nothing;
  users := array(select m from public.usage_metrics m where m.organization_id = for_organization and m.date = for_date
    order by m.user_id for update);
  insert into tollgate.usage_by_model (organization_id, date, model, user_id, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd,
    message_count, event_count, unpriced_events)
  select for_organization, for_date, f.model, f.user_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  from tollgate.fold_usage_by_model(for_organization, for_date) f
  order by f.model, f.user_id
  on conflict do nothing;
  models := array(select m from tollgate.usage_by_model m where m.organization_id = for_organization and m.date = for_date
    order by m.model, m.user_id for update);
  perform tollgate.add_missing_sessions(for_organization, for_date);
  insert into tollgate.usage_by_organization_model (organization_id, date, model, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd,
    message_count, event_count, unpriced_events)
  select for_organization, for_date, f.model, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  from tollgate.fold_organization_models(for_organization, for_date) f
  order by f.model
  on conflict do nothing;
  organization_models := array(select m from tollgate.usage_by_organization_model m
    where m.organization_id = for_organization and m.date = for_date order by m.model for update);
  perform tollgate.mark_due_users(
    array(select for_organization from unnest(users) u), array(select u.user_id from unnest(users) u), true);
  perform tollgate.add_missing_periods(for_organization, for_date);

  update public.usage_metrics m set
    tokens_used = coalesce(f.tokens_used, 0), input_tokens = coalesce(f.input_tokens, 0),
    output_tokens = coalesce(f.output_tokens, 0), cost_usd = coalesce(f.cost_usd, 0),
    charge_usd = coalesce(f.charge_usd, 0), message_count = coalesce(f.message_count, 0),
    event_count = coalesce(f.event_count, 0), unpriced_events = coalesce(f.unpriced_events, 0), updated_at = now()
  from (select k.user_id as key_user_id, s.* from unnest(users) k
    left join tollgate.fold_usage_metrics(for_organization, for_date) s on s.user_id = k.user_id) f
  where m.organization_id = for_organization and m.date = for_date and m.user_id = f.key_user_id
    -- A row from before Tollgate is made an opening balance by post_opening_balances, never zero.
    and (f.tokens_used is not null or (select (i.installed_at at time zone 'UTC')::date from tollgate.installation i) <= for_date);

  update tollgate.usage_by_model m set
    total_tokens = coalesce(f.total_tokens, 0), input_tokens = coalesce(f.input_tokens, 0),
    output_tokens = coalesce(f.output_tokens, 0), cache_read_input_tokens = coalesce(f.cache_read_input_tokens, 0),
    cache_creation_input_tokens = coalesce(f.cache_creation_input_tokens, 0),
    reasoning_output_tokens = coalesce(f.reasoning_output_tokens, 0), cost_usd = coalesce(f.cost_usd, 0),
    charge_usd = coalesce(f.charge_usd, 0), message_count = coalesce(f.message_count, 0),
    event_count = coalesce(f.event_count, 0), unpriced_events = coalesce(f.unpriced_events, 0)
  from (select k.model as key_model, k.user_id as key_user_id, s.* from unnest(models) k
    left join tollgate.fold_usage_by_model(for_organization, for_date) s on s.model = k.model and s.user_id = k.user_id) f
  where m.organization_id = for_organization and m.date = for_date and m.model = f.key_model and m.user_id = f.key_user_id;

  update tollgate.usage_by_organization_model m set
    total_tokens = coalesce(f.total_tokens, 0), input_tokens = coalesce(f.input_tokens, 0),
    output_tokens = coalesce(f.output_tokens, 0), cache_read_input_tokens = coalesce(f.cache_read_input_tokens, 0),
    cache_creation_input_tokens = coalesce(f.cache_creation_input_tokens, 0),
    reasoning_output_tokens = coalesce(f.reasoning_output_tokens, 0), cost_usd = coalesce(f.cost_usd, 0),
    charge_usd = coalesce(f.charge_usd, 0), message_count = coalesce(f.message_count, 0),
    event_count = coalesce(f.event_count, 0), unpriced_events = coalesce(f.unpriced_events, 0)
  from (select k.model as key_model, s.* from unnest(organization_models) k
    left join tollgate.fold_organization_models(for_organization, for_date) s on s.model = k.model) f
  where m.organization_id = for_organization and m.date = for_date and m.model = f.key_model;
end
$$;

-- Purpose: give sessions that the ledger of a day speaks of the row they lack; its figures follow when its own turn comes.
-- Parameters: as above. Returns: nothing. Locks: the new rows of chat_sessions, in the order of their key.
create function tollgate.add_missing_sessions(for_organization uuid, for_date date) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into public.chat_sessions (
    organization_id, user_id, librechat_session_id, model_used, model_used_at, started_at, last_activity_at)
  select for_organization, e.user_id, e.session_id, (array_agg(e.model order by e.time desc, e.model desc))[1], max(e.time),
    min(e.time), max(e.time)
  from tollgate.usage_events e
  where e.organization_id = for_organization and e.usage_date = for_date and e.entry <> 'opening_balance'
  group by e.user_id, e.session_id
  order by e.user_id, e.session_id
  on conflict do nothing
$$;

-- Purpose: likewise periods. Parameters: as above. Returns: nothing. Locks: the new rows of period_totals, sorted.
create function tollgate.add_missing_periods(for_organization uuid, for_date date) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.period_totals (organization_id, period_start)
  select distinct for_organization, e.period_start from tollgate.usage_events e
  where e.organization_id = for_organization and e.usage_date = for_date
  order by e.period_start
  on conflict do nothing
$$;

grant execute on function tollgate.repair_day, tollgate.add_missing_sessions, tollgate.add_missing_periods
  to tollgate_usage_worker, service_role;
