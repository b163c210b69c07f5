-- Purpose: put an endpoint on record. Parameters: change = { id, organization_id (null: the operator's), url, types, sealed_secret,
--   actor }. Returns: no row for an unknown organization, else one: refusal (full: there are 20 already; null: it is on record), and the
--   endpoint without its secret.
-- Locks: whatever else makes one of the same owner. Invariant: repeated with the same id it changes nothing. Whoever decides writes a
--   row an endpoint: so many that decisions would take too long nobody has.
create function public.create_webhook(change jsonb)
returns table (
  refusal text, id uuid, organization_id uuid, url text, types text[], created_by text, created_at timestamptz,
  previous_until timestamptz, disabled_at timestamptz)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (
    id uuid, organization_id uuid, url text, types text[], sealed_secret text, actor text);
  if asked.organization_id is not null and not exists (
    select from tollgate.directory_organizations o where o.organization_id = asked.organization_id) then return; end if;
  perform pg_advisory_xact_lock(hashtextextended('tollgate.create_webhook:' || coalesce(asked.organization_id::text, 'all'), 0));
  if not exists (select from tollgate.webhook_endpoints e where e.id = asked.id) and (
    select count(*) from tollgate.webhook_endpoints e
    where e.organization_id is not distinct from asked.organization_id and e.disabled_at is null) >= 20 then
    refusal := 'full';
    return next;
    return;
  end if;
  insert into tollgate.webhook_endpoints (id, organization_id, url, types, sealed_secret, created_by)
  values (asked.id, asked.organization_id, asked.url, asked.types, asked.sealed_secret, asked.actor)
  on conflict (id) do nothing;
  if found then
    perform tollgate.record_audit(asked.actor, 'webhook.created', 'webhook:' || asked.id,
      jsonb_build_object('url', asked.url, 'types', asked.types), asked.organization_id);
  end if;
  return query select null, v.* from tollgate.webhook_view v where v.id = asked.id;
end
$$;

-- Purpose: endpoints that are in use. Parameters: query = { organization_id (null: the operator's) }.
-- Returns: a row each, without secrets, newest first. Reads only.
create function public.list_webhooks(query jsonb) returns setof tollgate.webhook_view
language sql stable security invoker set search_path = ''
as $$
  select v.* from tollgate.webhook_view v
  where v.organization_id is not distinct from (tollgate.unwrap(query) ->> 'organization_id')::uuid and v.disabled_at is null
  order by v.created_at desc, v.id
$$;

-- Purpose: remove an endpoint: nothing is sent any more, the log stays. Parameters: change = { organization_id, id, actor }.
-- Returns: no row for an unknown or removed one, else one. Locks: the endpoint, then its deliveries.
create function public.remove_webhook(change jsonb) returns setof tollgate.webhook_view
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (organization_id uuid, id uuid, actor text);
  update tollgate.webhook_endpoints e set disabled_at = now()
  where e.id = asked.id and e.organization_id is not distinct from asked.organization_id and e.disabled_at is null;
  if not found then return; end if;
  update tollgate.webhook_deliveries d set state = 'dead', last_error = 'the endpoint was removed'
  where d.endpoint_id = asked.id and d.state = 'pending';
  perform tollgate.record_audit(asked.actor, 'webhook.removed', 'webhook:' || asked.id, '{}', asked.organization_id);
  return query select v.* from tollgate.webhook_view v where v.id = asked.id;
end
$$;

-- Purpose: give an endpoint a new secret; for the overlap what is sent bears the signatures of both.
-- Parameters: change = { organization_id, id, sealed_secret, overlap_seconds (0: the old one ends now), actor }.
-- Returns: no row for an unknown or removed one, else one. Locks: the endpoint. Invariant: repeated with the same seal it
--   changes nothing.
create function public.rotate_webhook(change jsonb) returns setof tollgate.webhook_view
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (
    organization_id uuid, id uuid, sealed_secret text, overlap_seconds integer, actor text);
  update tollgate.webhook_endpoints e set previous_sealed_secret = e.sealed_secret, sealed_secret = asked.sealed_secret,
    previous_until = now() + make_interval(secs => asked.overlap_seconds)
  where e.id = asked.id and e.organization_id is not distinct from asked.organization_id and e.disabled_at is null
    and e.sealed_secret <> asked.sealed_secret;
  if found then
    perform tollgate.record_audit(asked.actor, 'webhook.rotated', 'webhook:' || asked.id,
      jsonb_build_object('overlap_seconds', asked.overlap_seconds), asked.organization_id);
  end if;
  return query select v.* from tollgate.webhook_view v
    join tollgate.webhook_endpoints e on e.id = v.id and e.sealed_secret = asked.sealed_secret and e.disabled_at is null
    where v.id = asked.id and v.organization_id is not distinct from asked.organization_id;
end
$$;

-- Purpose: what was sent to an endpoint. Parameters: query = { organization_id (null: the operator's), endpoint_id, before? =
--   the `cursor` of the last row of the page before, max_rows }. Returns: a row a delivery, newest first. Reads only.
create function public.list_webhook_deliveries(query jsonb) returns setof tollgate.webhook_delivery_view
language sql stable security invoker set search_path = ''
as $$
  select v.*
  from jsonb_to_record(tollgate.unwrap(query)) as q (organization_id uuid, endpoint_id uuid, before bigint, max_rows integer)
  join tollgate.webhook_endpoints e on e.id = q.endpoint_id and e.organization_id is not distinct from q.organization_id
  join tollgate.webhook_deliveries d on d.endpoint_id = e.id and (q.before is null or d.seq < q.before)
  join tollgate.webhook_delivery_view v on v.id = d.id
  order by d.seq desc
  limit (select max_rows from jsonb_to_record(tollgate.unwrap(query)) as q (max_rows integer))
$$;

-- Purpose: send a delivery once more, with the same webhook-id. Parameters: change = { organization_id, endpoint_id, id,
--   actor }. Returns: no row for an unknown one or a removed endpoint, else one. Locks: the delivery.
create function public.replay_webhook(change jsonb) returns setof tollgate.webhook_delivery_view
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (
    organization_id uuid, endpoint_id uuid, id uuid, actor text);
  update tollgate.webhook_deliveries d set state = 'pending', due_at = now(), attempts = 0, delivered_at = null
  from tollgate.webhook_endpoints e
  where d.id = asked.id and d.endpoint_id = asked.endpoint_id and e.id = d.endpoint_id and e.disabled_at is null
    and e.organization_id is not distinct from asked.organization_id;
  if not found then return; end if;
  perform tollgate.record_audit(asked.actor, 'webhook.replayed', 'webhook:' || asked.endpoint_id,
    jsonb_build_object('delivery_id', asked.id), asked.organization_id);
  return query select v.* from tollgate.webhook_delivery_view v where v.id = asked.id;
end
$$;

revoke execute on function public.create_webhook, public.list_webhooks, public.remove_webhook, public.rotate_webhook,
  public.list_webhook_deliveries, public.replay_webhook from public, anon, authenticated;
grant execute on function public.create_webhook, public.list_webhooks, public.remove_webhook, public.rotate_webhook,
  public.list_webhook_deliveries, public.replay_webhook to tollgate_token_api, service_role;
