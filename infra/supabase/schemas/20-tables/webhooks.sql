-- Where notifications are sent. The secrets that deliveries are signed with are sealed before they come here, with a key that
-- no database knows (packages/shared/src/webhooks/seal-secret.ts).
create table tollgate.webhook_endpoints (
  id uuid primary key,
  organization_id uuid,              -- null: the operator's, told of every organization
  url text not null,
  types text[] not null,             -- empty: all
  sealed_secret text not null check (sealed_secret like 'v1.%'),
  previous_sealed_secret text check (previous_sealed_secret like 'v1.%'), -- signs too until previous_until
  previous_until timestamptz,
  created_by text not null,
  created_at timestamptz not null default now(),
  disabled_at timestamptz            -- removed: nothing is sent any more, the log stays
);
create index webhook_endpoints_organization_id_idx on tollgate.webhook_endpoints (organization_id) where disabled_at is null;

-- Outbox and delivery log: one row a notification and endpoint. Written in the transaction that decides.
create table tollgate.webhook_deliveries (
  id uuid primary key default gen_random_uuid(), -- the webhook-id, the same in every attempt
  seq bigint generated always as identity unique,
  endpoint_id uuid not null references tollgate.webhook_endpoints,
  notification_key text not null,    -- names what happened, so that it is told once
  organization_id uuid not null,
  type text not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  state text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
  due_at timestamptz not null default now(), -- of the next attempt; while one is under way: the end of its lease
  attempts integer not null default 0, -- since it was created or replayed
  last_status integer,
  last_error text,
  delivered_at timestamptz,
  log jsonb not null default '[]',   -- the latest attempts: { at, status, error }
  unique (endpoint_id, notification_key)
);
create index webhook_deliveries_pending_idx on tollgate.webhook_deliveries (endpoint_id, due_at) where state = 'pending';
create index webhook_deliveries_endpoint_id_seq_idx on tollgate.webhook_deliveries (endpoint_id, seq desc);
create index webhook_deliveries_created_at_idx on tollgate.webhook_deliveries (created_at) where state <> 'pending';
