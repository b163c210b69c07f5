-- Purpose: compare the chat sessions that started on a day with the ledger, a window of nine days at a time, and where asked
--   put right what is off. Parameters: for_organization; at (the day, or `day>window` for a later window); carried (null: the
--   first window), repair.
-- Returns: suspects' drift as jsonb array of { user_id, session_id, tokens_off, cost_off }; next_at and next_carried: the
--   next window and what it has to know: { user_id, session_id, sums, entries } (as text) of the sessions that go on; null:
--   none.
-- Locks: see repair_sessions. Invariant: a call reads a window of the ledger, however long a session lives. Sums of earlier
--   windows may be overtaken by a correction: so they only cast a suspicion, and what is suspected is looked at as a whole,
--   in one snapshot, before it is called a drift.
create function tollgate.check_sessions(for_organization uuid, at text, carried jsonb, repair boolean,
  out drift jsonb, out next_at text, out next_carried jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  day date := split_part(at, '>', 1)::date;
  from_date date := coalesce(nullif(split_part(at, '>', 2), '')::date, day - 1);
  to_date date := from_date + 8;
  users uuid[];
  sessions text[];
begin
  select array_agg(w.user_id) filter (where w.is_complete and w.is_off),
    array_agg(w.session_id) filter (where w.is_complete and w.is_off),
    jsonb_agg((select jsonb_object_agg(x.key, x.value #>> '{}') -- as text: it comes back by way of JavaScript
      from jsonb_each(to_jsonb(w) - '{is_complete,is_off}'::text[]) x)) filter (where not w.is_complete)
  into users, sessions, next_carried
  from (
    select f.*, row(f.message_count, f.input_tokens, f.output_tokens, f.total_tokens, f.cost_usd, f.charge_usd,
        f.unpriced_events, f.message_count, f.total_tokens)
      is distinct from row(s.message_count, s.input_tokens, s.output_tokens, s.total_tokens, s.cost_usd, s.charge_usd,
        s.unpriced_events, coalesce((s.session_metadata ->> 'messages')::numeric, 0),
        coalesce((s.session_metadata ->> 'tokens')::numeric, 0)) as is_off
    from tollgate.fold_session_window(for_organization, day, from_date, to_date, coalesce(carried, '[]')) f
    join public.chat_sessions s on s.organization_id = for_organization and s.user_id = f.user_id
      and s.librechat_session_id = f.session_id) w;
  next_at := case when next_carried is not null then day || '>' || to_date + 1 end;
  select coalesce(jsonb_agg(to_jsonb(d)), '[]') into drift
  from (select f.* from tollgate.find_session_drift(for_organization, users, sessions) f limit 1000) d
  where users is not null;
  if repair and drift <> '[]' then
    perform tollgate.repair_sessions(for_organization, users, sessions);
  end if;
end
$$;

grant execute on function tollgate.check_sessions to tollgate_usage_worker, service_role;
