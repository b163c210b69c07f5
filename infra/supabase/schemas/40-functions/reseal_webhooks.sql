-- Purpose: endpoints whose secrets were sealed with another key than the one in force. Parameters: query = { key_prefix (what each
--   secret sealed with it begins with), max_rows, after? (an endpoint's id, exclusive; absent: from the first) }.
-- Returns: a row an endpoint, by id, with what is to be sealed anew. Reads only.
create function public.list_old_seals(query jsonb)
returns table (id uuid, sealed_secret text, previous_sealed_secret text)
language sql stable security invoker set search_path = ''
as $$
  select e.id, e.sealed_secret, e.previous_sealed_secret
  from jsonb_to_record(tollgate.unwrap(query)) as q (key_prefix text, max_rows integer, after uuid)
  join tollgate.webhook_endpoints e
    on (q.after is null or e.id > q.after)
    and (not starts_with(e.sealed_secret, q.key_prefix) or not starts_with(e.previous_sealed_secret, q.key_prefix))
  order by e.id
  limit (select q.max_rows from jsonb_to_record(tollgate.unwrap(query)) as q (max_rows integer))
$$;

-- Purpose: put secrets back that were sealed anew. Parameters: change = { id, from_sealed (what was sealed before), sealed_secret,
--   previous_sealed_secret (null: there is none) }. Returns: one row: done (false: it was rotated meanwhile). Locks: the endpoint.
-- Invariant: a secret that was rotated meanwhile is never overwritten.
create function public.reseal_webhook(change jsonb) returns table (done boolean)
language sql volatile security invoker set search_path = ''
as $$
  with resealed as (
    update tollgate.webhook_endpoints e
    set sealed_secret = c.sealed_secret, previous_sealed_secret = c.previous_sealed_secret
    from jsonb_to_record(tollgate.unwrap(change)) as c (
      id uuid, from_sealed text, sealed_secret text, previous_sealed_secret text)
    where e.id = c.id and e.sealed_secret = c.from_sealed
    returning e.id
  )
  select exists (select from resealed)
$$;

revoke execute on function public.list_old_seals, public.reseal_webhook from public, anon, authenticated;
grant execute on function public.list_old_seals, public.reseal_webhook to tollgate_quota_enforcer, service_role;
