-- Purpose: take a person out of the books and keep every figure: a new random id in place of the user's, made-up session and
--   event ids, no metadata. Parameters: request = { user_id, actor }.
-- Returns: one row: pseudonym (null when there was nothing), entries, days, sessions, logins (rows changed).
-- Locks: the books against reconcile, the periods against ingestion under way; then the user's rows in the order of
--   ingest_usage.
-- Invariant: no total changes, since only keys do, in ledger, rollups and closing figures alike. Nobody can tell afterwards
--   who the pseudonym was; an event that is sent again is still a duplicate.
create function public.erase_user(request jsonb)
returns table (pseudonym uuid, entries integer, days integer, sessions integer, logins integer)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  person uuid := (tollgate.unwrap(request) ->> 'user_id')::uuid;
  new_id uuid := gen_random_uuid();
begin
  perform pg_advisory_xact_lock(hashtext('tollgate.books'));
  perform pg_advisory_xact_lock(hashtext('tollgate.periods'));
  perform from tollgate.usage_event_identities i
  where (i.organization_id, i.digest) in (
    select e.organization_id, e.digest from tollgate.usage_events e where e.user_id = person)
  order by i.organization_id, i.digest for update;
  perform tollgate.rename_opening_balances(person);
  update tollgate.usage_event_identities i set counts_digest = i.digest
  where (i.organization_id, i.digest) in (
    select e.organization_id, e.digest from tollgate.usage_events e where e.user_id = person);
  update tollgate.usage_events e set user_id = new_id, message_id = null, source = 'erased',
    event_id = encode(e.digest, 'hex'), session_id = tollgate.erased_session(new_id, e.session_id)
  where e.user_id = person;
  get diagnostics entries = row_count;
  perform from tollgate.usage_by_month f where f.user_id = person order by f.organization_id, f.month for update;
  update tollgate.usage_by_month f set user_id = new_id where f.user_id = person;
  perform from public.usage_metrics m where m.user_id = person order by m.organization_id, m.date for update;
  update public.usage_metrics m set user_id = new_id where m.user_id = person;
  get diagnostics days = row_count;
  update tollgate.preexisting_usage p set user_id = new_id where p.user_id = person;
  perform from tollgate.usage_by_model m where m.user_id = person order by m.organization_id, m.date, m.model for update;
  update tollgate.usage_by_model m set user_id = new_id where m.user_id = person;
  perform from public.chat_sessions s where s.user_id = person
  order by s.organization_id, s.librechat_session_id for update;
  update public.chat_sessions s set user_id = new_id,
    librechat_session_id = tollgate.erased_session(new_id, s.librechat_session_id), metadata_at = null,
    session_metadata = jsonb_build_object('messages', s.message_count, 'tokens', s.total_tokens)
  where s.user_id = person;
  get diagnostics sessions = row_count;
  update tollgate.login_sessions l set user_id = new_id, user_agent = null, supabase_session_id = null, refresh_hash = null,
    previous_refresh_hash = null, ended_at = coalesce(l.ended_at, now()), end_reason = coalesce(l.end_reason, 'erased')
  where l.user_id = person;
  get diagnostics logins = row_count;
  update tollgate.proxy_sessions x set user_id = new_id, ended_at = coalesce(x.ended_at, now()),
    end_reason = coalesce(x.end_reason, 'erased')
  where x.user_id = person;
  update tollgate.reservations r set user_id = new_id, session_id = tollgate.erased_session(new_id, r.session_id),
    idempotency_key = null
  where r.user_id = person;
  update tollgate.user_quotas q set user_id = new_id where q.user_id = person;
  update tollgate.user_enforcement_states t set user_id = new_id where t.user_id = person;
  update tollgate.user_enforcement_overrides v set user_id = new_id where v.user_id = person;
  update tollgate.quota_decisions d set user_id = new_id where d.user_id = person;
  update tollgate.webhook_deliveries w set notification_key = replace(w.notification_key, person::text, new_id::text),
    payload = jsonb_set(w.payload, '{data,user_id}', to_jsonb(new_id))
  where w.payload #>> '{data,user_id}' = person::text;
  update tollgate.sealed_days d set user_id = new_id where d.user_id = person;
  update tollgate.sealed_postings p set user_id = new_id where p.user_id = person;
  update tollgate.sealed_sessions s set user_id = new_id,
    librechat_session_id = tollgate.erased_session(new_id, s.librechat_session_id)
  where s.user_id = person;
  -- What is still to be counted counts for the pseudonym; its own source and id stay, so that a repeat is a duplicate.
  update tollgate.event_inbox x set events = (
    select jsonb_agg(case when e.event ->> 'user_id' is distinct from person::text then e.event
      else (e.event - 'message_id') || jsonb_strip_nulls(jsonb_build_object('user_id', new_id,
        'session_id', tollgate.erased_session(new_id, e.event ->> 'session_id'))) end order by e.position)
    from jsonb_array_elements(x.events) with ordinality e (event, position))
  where strpos(x.events::text, person::text) > 0;
  update tollgate.dead_letters d set payload = replace(d.payload, person::text, new_id::text)
  where strpos(d.payload, person::text) > 0;
  if entries + days + sessions + logins > 0 then
    pseudonym := new_id;
    perform tollgate.record_audit(tollgate.unwrap(request) ->> 'actor', 'user.erased', 'user:' || new_id,
      jsonb_build_object('entries', entries, 'sessions', sessions));
  end if;
  return next;
end
$$;

-- Purpose: give a person's opening balances identities that follow from nothing: theirs are made of user and day, so that
--   whoever knows both could find them again. Parameters: person (user id, not erased yet). Returns: nothing.
-- Locks: these identities; the caller holds the books, without which nobody else touches them.
-- Invariant: one identity a balance, also of those whose ledger was sealed. None is posted twice: its note is gone.
create function tollgate.rename_opening_balances(person uuid) returns void
language sql volatile security invoker set search_path = ''
as $$
  with day as materialized (
    select m.organization_id, uuid_send(gen_random_uuid()) as random,
      tollgate.identity_digest('tollgate', 'opening-balance:' || m.user_id || ':' || m.date) as digest
    from public.usage_metrics m where m.user_id = person
  ), identity as (
    update tollgate.usage_event_identities i set digest = d.random, counts_digest = d.random
    from day d where i.organization_id = d.organization_id and i.digest = d.digest
  )
  update tollgate.usage_events e set digest = d.random
  from day d where e.organization_id = d.organization_id and e.digest = d.digest and e.entry = 'opening_balance'
$$;

-- Purpose: a made-up session id that stays the same for the same session. Parameters: salt (the pseudonym), session.
-- Returns: text. Invariant: without the erased session id nobody finds back to it: it is hashed with a random salt.
create function tollgate.erased_session(salt uuid, session text) returns text
language sql immutable parallel safe
return 'erased-' || left(encode(sha256(convert_to(salt::text || session, 'UTF8')), 'hex'), 32);

revoke execute on function public.erase_user from public, anon, authenticated;
grant execute on function public.erase_user, tollgate.rename_opening_balances, tollgate.erased_session to service_role;
