-- Purpose: what some chat sessions have to say, by ledger and closing figures. Parameters: for_organization, users and
--   sessions (two arrays of one length: their keys). Returns: a row a session; is_explained: any entry speaks of it.
-- Invariant: every entry of a session lies between its start and its last activity, so that a range of days is enough. It may
--   be a long one: asked only of sessions that fold_session_window has found to be off. Reads only.
create function tollgate.fold_sessions(for_organization uuid, users uuid[], sessions text[])
returns table (user_id uuid, librechat_session_id text, message_count bigint, input_tokens bigint, output_tokens bigint,
  total_tokens bigint, cost_usd numeric, charge_usd numeric, unpriced_events bigint, is_explained boolean)
language sql stable security invoker set search_path = ''
as $$
  with session as materialized (
    select s.user_id, s.librechat_session_id, s.started_at, s.last_activity_at
    from unnest(users, sessions) k (user_id, session_id)
    join public.chat_sessions s on s.organization_id = for_organization and s.user_id = k.user_id
      and s.librechat_session_id = k.session_id
  ), entry as (
    select e.user_id, e.session_id as librechat_session_id, e.message_count::bigint, e.input_tokens, e.output_tokens,
      e.total_tokens, e.cost_usd, e.charge_usd, e.unpriced_events::bigint
    from tollgate.usage_events e
    where e.organization_id = for_organization and e.entry <> 'opening_balance'
      and e.usage_date between (select (min(s.started_at) at time zone 'UTC')::date - 1 from session s)
        and (select (max(s.last_activity_at) at time zone 'UTC')::date + 1 from session s)
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

-- Purpose: the same of the sessions that started on a day, as far as some days of the ledger tell: a window of it.
-- Parameters: for_organization, for_date (UTC day of started_at), from_date and to_date (the window; the first one begins the
--   day before for_date and has the closing figures), carried (what the windows before have told: see check_sessions).
-- Returns: a row a session that was active in or after the window, with sums up to its end; entries; is_complete: it was
--   active no later. Reads only, and of the ledger no more than the window.
create function tollgate.fold_session_window(
  for_organization uuid, for_date date, from_date date, to_date date, carried jsonb)
returns table (user_id uuid, session_id text, message_count bigint, input_tokens bigint, output_tokens bigint,
  total_tokens bigint, cost_usd numeric, charge_usd numeric, unpriced_events bigint, entries bigint, is_complete boolean)
language sql stable security invoker set search_path = ''
as $$
  with session as materialized (
    select s.user_id, s.librechat_session_id as session_id, (s.last_activity_at at time zone 'UTC')::date + 1 as last_date
    from public.chat_sessions s
    where s.organization_id = for_organization
      and s.started_at >= for_date::timestamp at time zone 'UTC' and s.started_at < (for_date + 1)::timestamp at time zone 'UTC'
      and (s.last_activity_at at time zone 'UTC')::date + 1 >= from_date
  ), part as (
    select e.user_id, e.session_id, e.message_count::bigint, e.input_tokens, e.output_tokens, e.total_tokens, e.cost_usd,
      e.charge_usd, e.unpriced_events::bigint, 1::bigint as entries
    from tollgate.usage_events e
    where e.organization_id = for_organization and e.entry <> 'opening_balance'
      and e.usage_date between from_date and (select least(to_date, max(s.last_date)) from session s)
    union all
    select c.user_id, c.librechat_session_id, c.message_count, c.input_tokens, c.output_tokens, c.total_tokens, c.cost_usd,
      c.charge_usd, c.unpriced_events, 1
    from tollgate.sealed_sessions c
    where c.organization_id = for_organization and from_date < for_date
      and (c.user_id, c.librechat_session_id) in (select s.user_id, s.session_id from session s)
    union all
    select p.user_id, p.session_id, p.message_count, p.input_tokens, p.output_tokens, p.total_tokens, p.cost_usd,
      p.charge_usd, p.unpriced_events, p.entries
    from jsonb_to_recordset(carried) as p (user_id uuid, session_id text, message_count bigint, input_tokens bigint,
      output_tokens bigint, total_tokens bigint, cost_usd numeric, charge_usd numeric, unpriced_events bigint, entries bigint)
  )
  select user_id, session_id, coalesce(sum(p.message_count), 0)::bigint, coalesce(sum(p.input_tokens), 0)::bigint,
    coalesce(sum(p.output_tokens), 0)::bigint, coalesce(sum(p.total_tokens), 0)::bigint, coalesce(sum(p.cost_usd), 0),
    coalesce(sum(p.charge_usd), 0), coalesce(sum(p.unpriced_events), 0)::bigint, coalesce(sum(p.entries), 0)::bigint, s.last_date <= to_date
  from session s left join part p using (user_id, session_id)
  group by user_id, session_id, s.last_date
$$;

-- Purpose: where chat_sessions differ from them. Parameters: as fold_sessions. Returns: a row a session that is off.
-- Invariant: as find_day_drift: one snapshot; a session from before Tollgate that no entry explains is no drift. Reads only.
create function tollgate.find_session_drift(for_organization uuid, users uuid[], sessions text[])
returns table (user_id uuid, session_id text, tokens_off bigint, cost_off numeric)
language sql stable security invoker set search_path = ''
as $$
  select f.user_id, f.librechat_session_id, f.total_tokens - s.total_tokens, f.cost_usd - s.cost_usd
  from tollgate.fold_sessions(for_organization, users, sessions) f
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
-- Locks: those sessions in the order of their key. Invariant: as repair_day, also that only what is locked is written.
create function tollgate.repair_sessions(for_organization uuid, users uuid[], sessions text[]) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  perform from public.chat_sessions s
  join unnest(users, sessions) k (user_id, session_id) on s.user_id = k.user_id and s.librechat_session_id = k.session_id
  where s.organization_id = for_organization
  order by s.organization_id, s.user_id, s.librechat_session_id for update of s;
  update public.chat_sessions s set
    message_count = f.message_count, input_tokens = f.input_tokens, output_tokens = f.output_tokens,
    total_tokens = f.total_tokens, cost_usd = f.cost_usd, charge_usd = f.charge_usd, unpriced_events = f.unpriced_events,
    session_metadata = s.session_metadata || jsonb_build_object('messages', f.message_count, 'tokens', f.total_tokens)
  from tollgate.fold_sessions(for_organization, users, sessions) f
  where s.organization_id = for_organization and s.user_id = f.user_id and s.librechat_session_id = f.librechat_session_id
    and (f.is_explained or s.started_at >= (select i.installed_at from tollgate.installation i));
end
$$;

grant execute on function tollgate.fold_sessions, tollgate.fold_session_window, tollgate.find_session_drift,
  tollgate.repair_sessions to tollgate_usage_worker, service_role;
