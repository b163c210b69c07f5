-- Purpose: what chat sessions that started on a day have to say, by ledger and closing figures.
-- Parameters: for_organization, for_date (UTC day of started_at). Returns: a row a session. Reads only.
-- Invariant: every entry of a session lies between its start and its last activity, so that a range of days is enough.
create function tollgate.fold_sessions(for_organization uuid, for_date date)
returns table (user_id uuid, librechat_session_id text, message_count bigint, input_tokens bigint, output_tokens bigint,
  total_tokens bigint, cost_usd numeric, charge_usd numeric, unpriced_events bigint, is_explained boolean)
language sql stable security invoker set search_path = ''
as $$
  with session as materialized (
    select s.user_id, s.librechat_session_id, s.started_at, s.last_activity_at from public.chat_sessions s
    where s.organization_id = for_organization
      and s.started_at >= for_date::timestamp at time zone 'UTC' and s.started_at < (for_date + 1)::timestamp at time zone 'UTC'
  ), entry as (
    select e.user_id, e.session_id as librechat_session_id, e.message_count::bigint, e.input_tokens, e.output_tokens,
      e.total_tokens, e.cost_usd, e.charge_usd, e.unpriced_events::bigint
    from tollgate.usage_events e
    where e.organization_id = for_organization and e.entry <> 'opening_balance'
      and e.usage_date between for_date - 1 and (select (max(s.last_activity_at) at time zone 'UTC')::date + 1 from session s)
    union all
    select c.user_id, c.librechat_session_id, c.message_count, c.input_tokens, c.output_tokens, c.total_tokens, c.cost_usd,
      c.charge_usd, c.unpriced_events
    from tollgate.sealed_sessions c
    where c.organization_id = for_organization
      and (c.user_id, c.librechat_session_id) in (select s.user_id, s.librechat_session_id from session s)
  )
  select user_id, librechat_session_id, coalesce(sum(e.message_count), 0)::bigint, coalesce(sum(e.input_tokens), 0)::bigint,
    coalesce(sum(e.output_tokens), 0)::bigint, coalesce(sum(e.total_tokens), 0)::bigint, coalesce(sum(e.cost_usd), 0),
    coalesce(sum(e.charge_usd), 0), coalesce(sum(e.unpriced_events), 0)::bigint, count(e.total_tokens) > 0
  from session s left join entry e using (user_id, librechat_session_id)
  group by user_id, librechat_session_id
$$;

-- Purpose: where chat_sessions differ from them. Parameters: as above. Returns: a row a session that is off.
-- Invariant: as find_day_drift: one snapshot; a session from before Tollgate that no entry explains is no drift. Reads only.
create function tollgate.find_session_drift(for_organization uuid, for_date date)
returns table (user_id uuid, session_id text, tokens_off bigint, cost_off numeric)
language sql stable security invoker set search_path = ''
as $$
  select f.user_id, f.librechat_session_id, f.total_tokens - s.total_tokens, f.cost_usd - s.cost_usd
  from tollgate.fold_sessions(for_organization, for_date) f
  join public.chat_sessions s on s.organization_id = for_organization and s.user_id = f.user_id
    and s.librechat_session_id = f.librechat_session_id
  where (f.is_explained or s.started_at >= (select i.installed_at from tollgate.installation i))
    and row(f.message_count, f.input_tokens, f.output_tokens, f.total_tokens, f.cost_usd, f.charge_usd, f.unpriced_events,
        f.message_count, f.total_tokens)
      is distinct from row(s.message_count, s.input_tokens, s.output_tokens, s.total_tokens, s.cost_usd, s.charge_usd,
        s.unpriced_events, coalesce((s.session_metadata ->> 'messages')::numeric, 0),
        coalesce((s.session_metadata ->> 'tokens')::numeric, 0))
$$;

-- Purpose: set chat_sessions to them. Parameters: as above. Returns: nothing.
-- Locks: all sessions of the slice in the order of their key. Invariant: as repair_day, also that only these are written.
create function tollgate.repair_sessions(for_organization uuid, for_date date) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held public.chat_sessions[];
begin
  held := array(select s from public.chat_sessions s
  where s.organization_id = for_organization
    and s.started_at >= for_date::timestamp at time zone 'UTC' and s.started_at < (for_date + 1)::timestamp at time zone 'UTC'
  order by s.organization_id, s.user_id, s.librechat_session_id for update);
  update public.chat_sessions s set
    message_count = f.message_count, input_tokens = f.input_tokens, output_tokens = f.output_tokens,
    total_tokens = f.total_tokens, cost_usd = f.cost_usd, charge_usd = f.charge_usd, unpriced_events = f.unpriced_events,
    session_metadata = s.session_metadata || jsonb_build_object('messages', f.message_count, 'tokens', f.total_tokens)
  from tollgate.fold_sessions(for_organization, for_date) f
  join unnest(held) h on h.user_id = f.user_id and h.librechat_session_id = f.librechat_session_id
  where s.organization_id = for_organization and s.user_id = f.user_id and s.librechat_session_id = f.librechat_session_id
    and (f.is_explained or s.started_at >= (select i.installed_at from tollgate.installation i));
end
$$;

grant execute on function tollgate.fold_sessions, tollgate.find_session_drift, tollgate.repair_sessions
  to tollgate_usage_worker, service_role;
