-- Purpose: keep the answer to a request that began with begin_idempotent, or forget the request when it did nothing and may
--   be made again. Parameters: result = { caller, key, status (null: forget), answer }. Returns: one row: kept.
-- Locks: the request's row. Invariant: an answer once kept is never replaced.
create function public.finish_idempotent(result jsonb) returns table (kept boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(result)) as r (
    caller text, key text, status integer, answer text);
  if asked.status is null then
    delete from tollgate.idempotent_requests i
    where i.caller = asked.caller and i.key = asked.key and i.leased_until is not null;
    return query select false;
    return;
  end if;
  update tollgate.idempotent_requests i set leased_until = null, status = asked.status, answer = asked.answer
  where i.caller = asked.caller and i.key = asked.key and i.leased_until is not null;
  return query select found;
end
$$;

revoke execute on function public.finish_idempotent from public, anon, authenticated;
grant execute on function public.finish_idempotent to tollgate_token_api, service_role;
