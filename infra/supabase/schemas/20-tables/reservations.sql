-- Holds: LLM tokens set aside before a call. A hold is open while `held` or `committing` (its usage event is on disk and
-- not yet in the ledger); open holds alone count against a limit. Whoever changes a state holds the row of reserved_totals.
create table tollgate.reservations (
  id uuid primary key,
  organization_id uuid not null,
  user_id uuid not null,
  session_id text not null,
  total_tokens bigint not null check (total_tokens between 1 and 1000000000),
  state text not null default 'held' check (state in ('held', 'committing', 'settled', 'released', 'expired')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,            -- the lease, in the database's time
  ended_at timestamptz,
  event_digest bytea,                         -- the usage event that settles it (as in usage_event_identities)
  settled_tokens bigint not null default 0,   -- what the events that name it have used
  is_late boolean not null default false,     -- usage came after the hold had been given back
  idempotency_key text
) with (fillfactor = 80);
create unique index reservations_idempotency_key_idx on tollgate.reservations (organization_id, idempotency_key)
  where idempotency_key is not null;
create index reservations_open_idx on tollgate.reservations (organization_id, expires_at)
  where state in ('held', 'committing');
-- The user first: nobody who asks for an organization's holds by their leases is to take this one for it.
create index reservations_open_user_idx on tollgate.reservations (user_id, organization_id)
  where state in ('held', 'committing');
create index reservations_created_at_idx on tollgate.reservations using brin (created_at);

-- Sum of an organization's open holds. Its row is the lock under which all of the organization's holds change.
create table tollgate.reserved_totals (
  organization_id uuid primary key,
  reserved_tokens bigint not null default 0 check (reserved_tokens >= 0),
  expired_upto timestamptz not null default '-infinity', -- holds whose lease had run out by then have been given back
  updated_at timestamptz not null default now()
) with (fillfactor = 50);

-- A request for a hold. ordinal counts from 1.
create type tollgate.hold_request as (
  ordinal integer,
  id uuid,
  organization_id uuid,
  user_id uuid,
  session_id text,
  total_tokens bigint,
  ttl_seconds integer,
  idempotency_key text
);

-- A limit that a request has to respect. user_id null: the whole organization's; session_id null: all of the user's.
create type tollgate.hold_budget as (
  scope text,
  organization_id uuid,
  user_id uuid,
  session_id text,
  limit_tokens bigint, -- null: unlimited
  used_tokens bigint,
  reserved_tokens bigint,
  period_start timestamptz,
  period_end timestamptz,
  is_closed boolean,   -- revoked: nothing is held, whatever is left
  state_reason text,   -- why the organization or user stands where it stands; null: nobody decided yet
  decision_id uuid,
  -- Of an organization alone: how its users and chat sessions are looked at.
  is_lenient boolean,  -- observed or paused: nobody is limited
  session_max_tokens bigint, -- limit of each chat session; null: none
  time_zone text,
  asked_tokens bigint, -- by all requests of the call
  limits_users boolean, -- some of its users have a limit or were revoked
  has_due_holds boolean, -- leases have run out and nobody has marked them yet; what they hold does not count
  has_due_grants boolean -- as quota_inputs says
);

-- What was decided on a request. refused_by: place in the budgets of the first one that is in the way; null: it fits.
create type tollgate.hold_grant as (
  ordinal integer,
  refused_by integer,
  room bigint -- what the tightest budget has left afterwards; null: no limit
);
