-- Purpose: take due deliveries to be sent. Parameters: claim = { max_rows, lease_ms, busy? (endpoints to which the caller is still
--   sending: of those none is taken) }.
-- Returns: a row a delivery with where to send it and the secrets, sealed, to sign it with; previous_sealed_secret null outside
--   an overlap.
-- Locks: the deliveries, skipping those that another enforcer takes. Invariant: until the lease is over nobody else gets
--   them; a sender that dies leaves them to be taken again. At most four of an endpoint, so that a slow one holds up none.
create function public.claim_webhooks(claim jsonb)
returns table (
  id uuid, endpoint_id uuid, attempt integer, url text, sealed_secret text, previous_sealed_secret text, payload text)
language sql volatile security invoker set search_path = ''
as $$
  with asked as (
    select * from jsonb_to_record(tollgate.unwrap(claim)) as c (max_rows integer, lease_ms integer, busy uuid[])
  ), due as materialized (
    select d.id
    from asked a
    join tollgate.webhook_endpoints e on e.disabled_at is null and e.id <> all(coalesce(a.busy, '{}'))
    cross join lateral (
      select p.id, p.due_at from tollgate.webhook_deliveries p
      where p.endpoint_id = e.id and p.state = 'pending' and p.due_at <= now()
      order by p.due_at, p.id limit 4
      for update skip locked) d
    order by d.due_at, d.id
    limit (select max_rows from asked)
  )
  update tollgate.webhook_deliveries d
  set attempts = d.attempts + 1, due_at = now() + make_interval(secs => a.lease_ms / 1000.0)
  from due, asked a, tollgate.webhook_endpoints e
  where d.id = due.id and e.id = d.endpoint_id
  returning d.id, d.endpoint_id, d.attempts, e.url, e.sealed_secret,
    case when e.previous_until > now() then e.previous_sealed_secret end, d.payload::text
$$;

-- Purpose: write down how an attempt ended. Parameters: result = { id, attempt, delivered, status (null: no answer), error
--   (null: none), retry_in_ms (null: give up) }. Returns: one row: recorded (false: somebody else has the delivery by now).
-- Locks: the delivery. Invariant: what was delivered once stays delivered until it is replayed.
create function public.finish_webhook(result jsonb) returns table (recorded boolean)
language sql volatile security invoker set search_path = ''
as $$
  with asked as (
    select * from jsonb_to_record(tollgate.unwrap(result)) as r (
      id uuid, attempt integer, delivered boolean, status integer, error text, retry_in_ms bigint)
  ), done as (
    update tollgate.webhook_deliveries d set
      state = case when a.delivered then 'delivered' when a.retry_in_ms is null then 'dead' else 'pending' end,
      due_at = now() + make_interval(secs => coalesce(a.retry_in_ms, 0) / 1000.0),
      last_status = a.status, last_error = a.error, delivered_at = case when a.delivered then now() end,
      log = case when jsonb_array_length(d.log) < 50 then d.log else d.log - 0 end
        || jsonb_build_object('at', now(), 'status', a.status, 'error', a.error)
    from asked a
    where d.id = a.id and d.state = 'pending' and (a.delivered or d.attempts = a.attempt)
    returning d.id
  )
  select exists (select from done)
$$;

-- Purpose: how far deliveries are behind. Parameters: none. Returns: one row: pending, oldest_seconds (of the oldest that is
--   not delivered), overdue_seconds (how long one has been due without being tried). What was told to an endpoint in the moment
--   in which it was removed is sent by nobody, and does not count.
create function public.webhook_backlog()
returns table (pending integer, oldest_seconds double precision, overdue_seconds double precision)
language sql stable security invoker set search_path = ''
as $$
  select count(*)::integer, coalesce(extract(epoch from now() - min(d.created_at)), 0)::double precision,
    greatest(coalesce(extract(epoch from now() - min(d.due_at)), 0), 0)::double precision
  from tollgate.webhook_endpoints e join tollgate.webhook_deliveries d on d.endpoint_id = e.id and d.state = 'pending'
  where e.disabled_at is null
$$;

-- Purpose: forget what was delivered or given up 90 days ago; a period, and with it each key, is shorter.
-- Parameters: max_rows. Returns: one row: pruned.
create function public.prune_webhooks(max_rows integer) returns table (pruned integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.webhook_deliveries d
    where d.id in (select o.id from tollgate.webhook_deliveries o
      where o.state <> 'pending' and o.created_at < now() - interval '90 days'
      order by o.created_at limit max_rows)
    returning d.id
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.claim_webhooks, public.finish_webhook, public.webhook_backlog, public.prune_webhooks
  from public, anon, authenticated;
grant execute on function public.claim_webhooks, public.finish_webhook, public.webhook_backlog, public.prune_webhooks
  to tollgate_quota_enforcer, service_role;
