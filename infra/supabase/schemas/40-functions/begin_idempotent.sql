-- Purpose: begin a write that must happen once per key, or say what became of it. Parameters: request = { caller, key,
--   fingerprint, seed, lease_seconds (after that a request that never ended may be made again), keep_seconds }.
-- Returns: one row: outcome ('begun': go on with the seed, which is that of the first try, and call finish_idempotent with the
--   attempt; 'running': somebody is at it; 'mismatch': the key was used for another request; 'answered': with status and answer).
-- Locks: the request's row; of two at once one begins. Old rows go, a few at a time, those in use excepted.
create function public.begin_idempotent(request jsonb) returns table (
  outcome text, status integer, answer text, seed text, attempt integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  held tollgate.idempotent_requests;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(request)) as r (
    caller text, key text, fingerprint text, seed text, lease_seconds integer, keep_seconds integer);
  delete from tollgate.idempotent_requests i where (i.caller, i.key) in (
    select o.caller, o.key from tollgate.idempotent_requests o
    where o.begun_at < now() - make_interval(secs => asked.keep_seconds)
    order by o.begun_at limit 20 for update skip locked);
  insert into tollgate.idempotent_requests (caller, key, fingerprint, seed, leased_until)
  values (asked.caller, asked.key, asked.fingerprint, asked.seed, now() + make_interval(secs => asked.lease_seconds))
  on conflict (caller, key) do nothing;
  if found then
    return query select 'begun', null::integer, null::text, asked.seed, 1;
    return;
  end if;
  select i.* into held from tollgate.idempotent_requests i where i.caller = asked.caller and i.key = asked.key for update;
  if held.fingerprint <> asked.fingerprint then
    return query select 'mismatch', null::integer, null::text, null::text, null::integer;
  elsif held.leased_until is null then
    return query select 'answered', held.status, held.answer, null::text, null::integer;
  elsif held.leased_until > now() then
    return query select 'running', null::integer, null::text, null::text, null::integer;
  else
    update tollgate.idempotent_requests i
    set leased_until = now() + make_interval(secs => asked.lease_seconds), attempt = i.attempt + 1
    where i.caller = asked.caller and i.key = asked.key;
    return query select 'begun', null::integer, null::text, held.seed, held.attempt + 1;
  end if;
end
$$;

revoke execute on function public.begin_idempotent from public, anon, authenticated;
grant execute on function public.begin_idempotent to tollgate_token_api, service_role;
