-- Purpose: add usage and session events to chat_sessions. Parameters: entries of the ledger; said: session.started and
--   session.ended. Returns: nothing.
-- Locks: rows of chat_sessions in the order of its primary key.
-- Invariant: every column is a commutative fold (sum, least, greatest, newest wins with a fixed tie-break), so that
--   any order of the same events, an end before its start included, gives the same row.
create function tollgate.roll_up_sessions(entries tollgate.judged_event[], said tollgate.judged_event[] default '{}') returns void
language sql volatile security invoker set search_path = ''
set enable_nestloop = off -- the planner cannot know how many events a batch has
as $$
  with used as (
    -- The newest model comes first of its session, so that no group needs a sort of its own.
    select e.organization_id, e.user_id, e.session_id, (array_agg(e.model))[1] as model_used, max(e.time) as model_used_at,
      min(e.time) as started_at, sum(e.message_count) as message_count, sum(e.input_tokens) as input_tokens,
      sum(e.output_tokens) as output_tokens, sum(e.total_tokens) as total_tokens, sum(e.cost_usd) as cost_usd,
      sum(e.charge_usd) as charge_usd, sum(e.unpriced_events) as unpriced_events
    from (
      select f.organization_id, f.user_id, f.session_id, f.time, f.model, f.message_count, f.input_tokens, f.output_tokens,
        f.total_tokens, f.cost_usd, f.charge_usd, f.unpriced_events
      from unnest(entries) f
      order by f.organization_id, f.user_id, f.session_id, f.time desc, f.model desc
    ) e
    group by e.organization_id, e.user_id, e.session_id
  ), told as (
    select e.organization_id, e.user_id, e.session_id,
      (array_agg(e.model order by e.time desc, e.model desc) filter (where e.model is not null))[1] as model_used,
      max(e.time) filter (where e.model is not null) as model_used_at,
      (array_agg(e.metadata order by e.time desc, e.metadata desc) filter (where e.metadata is not null))[1] as metadata,
      max(e.time) filter (where e.metadata is not null) as metadata_at,
      min(e.time) as started_at, max(e.time) as last_activity_at,
      max(e.time) filter (where e.type = 'session.ended') as end_event_at,
      (array_agg(e.end_reason order by e.time desc, e.end_reason desc) filter (where e.type = 'session.ended'))[1]
        as end_event_reason
    from unnest(said) e
    group by e.organization_id, e.user_id, e.session_id
  )
  insert into public.chat_sessions as t (
    organization_id, user_id, librechat_session_id, model_used, model_used_at, session_metadata, metadata_at,
    started_at, last_activity_at, end_event_at, end_event_reason, message_count, input_tokens, output_tokens, total_tokens,
    cost_usd, charge_usd, unpriced_events)
  select
    organization_id, user_id, session_id,
    case when u.model_used is null or (s.model_used_at, s.model_used) > (u.model_used_at, u.model_used)
      then s.model_used else u.model_used end,
    greatest(u.model_used_at, s.model_used_at),
    coalesce(s.metadata, '{}')
      || jsonb_build_object('messages', coalesce(u.message_count, 0), 'tokens', coalesce(u.total_tokens, 0)),
    s.metadata_at, least(u.started_at, s.started_at), greatest(u.model_used_at, s.last_activity_at), s.end_event_at,
    s.end_event_reason, coalesce(u.message_count, 0), coalesce(u.input_tokens, 0), coalesce(u.output_tokens, 0),
    coalesce(u.total_tokens, 0), coalesce(u.cost_usd, 0), coalesce(u.charge_usd, 0), coalesce(u.unpriced_events, 0)
  from used u full join told s using (organization_id, user_id, session_id)
  order by organization_id, user_id, session_id
  on conflict (organization_id, user_id, librechat_session_id) do update set
    model_used = case when (excluded.model_used_at, excluded.model_used) > (t.model_used_at, t.model_used)
      or t.model_used is null then excluded.model_used else t.model_used end,
    model_used_at = greatest(t.model_used_at, excluded.model_used_at),
    session_metadata = case
        when t.metadata_at is null or (excluded.metadata_at, excluded.session_metadata - '{messages,tokens}'::text[])
          > (t.metadata_at, t.session_metadata - '{messages,tokens}'::text[]) then excluded.session_metadata
        else t.session_metadata
      end || jsonb_build_object('messages', t.message_count + excluded.message_count,
                                'tokens', t.total_tokens + excluded.total_tokens),
    metadata_at = greatest(t.metadata_at, excluded.metadata_at),
    started_at = least(t.started_at, excluded.started_at),
    last_activity_at = greatest(t.last_activity_at, excluded.last_activity_at),
    end_event_reason = case when (excluded.end_event_at, excluded.end_event_reason) > (t.end_event_at, t.end_event_reason)
      or t.end_event_at is null then excluded.end_event_reason else t.end_event_reason end,
    end_event_at = greatest(t.end_event_at, excluded.end_event_at),
    -- What was closed for want of news is open again with the news, until close_sessions has looked at it.
    closed_at = case when excluded.last_activity_at <= t.last_activity_at
      and coalesce(excluded.end_event_at < t.last_activity_at, true) then t.closed_at end,
    close_reason = case when excluded.last_activity_at <= t.last_activity_at
      and coalesce(excluded.end_event_at < t.last_activity_at, true) then t.close_reason end,
    message_count = t.message_count + excluded.message_count,
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    total_tokens = t.total_tokens + excluded.total_tokens,
    cost_usd = t.cost_usd + excluded.cost_usd,
    charge_usd = t.charge_usd + excluded.charge_usd,
    unpriced_events = t.unpriced_events + excluded.unpriced_events
$$;

grant execute on function tollgate.roll_up_sessions to tollgate_usage_worker, service_role;
