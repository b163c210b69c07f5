-- Purpose: say how a try that began with begin_idempotent ended. Parameters: result = { caller, key, attempt, status (null:
--   there is no answer to keep), answer, nothing_done? (the request may be forgotten) }. Returns: one row: kept.
-- Locks: the request's row. Invariant: an answer once kept is never replaced; a try that lost its lease to a later one changes
--   nothing; the seed of a try that may have acted stays, so that whoever repeats it makes the same.
create function public.finish_idempotent(result jsonb) returns table (kept boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(result)) as r (
    caller text, key text, attempt integer, status integer, answer text, nothing_done boolean);
  if asked.status is not null then
    update tollgate.idempotent_requests i set leased_until = null, status = asked.status, answer = asked.answer
    where i.caller = asked.caller and i.key = asked.key and i.attempt = asked.attempt and i.leased_until is not null;
    return query select found;
    return;
  end if;
  -- That a later try did nothing says nothing of the ones before.
  if asked.nothing_done and asked.attempt = 1 then
    delete from tollgate.idempotent_requests i
    where i.caller = asked.caller and i.key = asked.key and i.attempt = 1 and i.leased_until is not null;
  else
    update tollgate.idempotent_requests i set leased_until = now()
    where i.caller = asked.caller and i.key = asked.key and i.attempt = asked.attempt and i.leased_until is not null;
  end if;
  return query select false;
end
$$;

revoke execute on function public.finish_idempotent from public, anon, authenticated;
grant execute on function public.finish_idempotent to tollgate_token_api, service_role;
