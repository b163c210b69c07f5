-- Purpose: add usage and session events to chat_sessions. Parameters: events (usage.recorded that were claimed,
--   session.started, session.ended). Returns: nothing.
-- Locks: rows of chat_sessions in the order of its primary key.
-- Invariant: every column is a commutative fold (sum, least, greatest, newest wins with a fixed tie-break), so that
--   any order of the same events, an end before its start included, gives the same row.
create function tollgate.roll_up_sessions(events tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into public.chat_sessions as t (
    organization_id, user_id, librechat_session_id, model_used, model_used_at, session_metadata, metadata_at,
    started_at, last_activity_at, end_event_at, end_event_reason, message_count, input_tokens, output_tokens, total_tokens,
    cost_usd, charge_usd, unpriced_events)
  select
    e.organization_id, e.user_id, e.session_id,
    (array_agg(e.model order by e.time desc, e.model desc) filter (where e.model is not null))[1],
    max(e.time) filter (where e.model is not null),
    coalesce((array_agg(e.metadata order by e.time desc, e.metadata desc) filter (where e.metadata is not null))[1], '{}')
      || jsonb_build_object('messages', coalesce(sum(e.message_count), 0), 'tokens', coalesce(sum(e.total_tokens), 0)),
    max(e.time) filter (where e.metadata is not null),
    min(e.time), max(e.time),
    max(e.time) filter (where e.type = 'session.ended'),
    (array_agg(e.end_reason order by e.time desc, e.end_reason desc) filter (where e.type = 'session.ended'))[1],
    coalesce(sum(e.message_count), 0), coalesce(sum(e.input_tokens), 0), coalesce(sum(e.output_tokens), 0),
    coalesce(sum(e.total_tokens), 0), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0),
    coalesce(sum(e.unpriced_events), 0)
  from unnest(events) e
  group by e.organization_id, e.user_id, e.session_id
  order by e.organization_id, e.user_id, e.session_id
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
