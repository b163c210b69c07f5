-- One row a sign-in (`sid` of its tokens). Written by the function that issues, so that no token is without its row; the
-- usage worker repeats start and end from the events. No token stands here, only the SHA-256 of the newest refresh tokens.
create table tollgate.login_sessions (
  id uuid primary key,
  organization_id uuid not null,
  user_id uuid not null,
  started_at timestamptz,
  expires_at timestamptz,            -- when the last thing that was issued runs out
  ended_at timestamptz,
  end_reason text,
  kind text not null default 'browser' check (kind in ('browser', 'handoff', 'server')),
  supabase_session_id uuid,          -- null: the Supabase token named none
  role text,                         -- the highest that one of its tokens names; null: not known
  user_agent text,
  last_used_at timestamptz,
  access_expires_at timestamptz,     -- when the last access token runs out
  ends_at timestamptz,               -- no refresh goes beyond
  generation integer not null default 0,
  refresh_hash bytea check (length(refresh_hash) = 32), -- null: no refresh token was issued
  previous_refresh_hash bytea check (length(previous_refresh_hash) = 32),
  refresh_issued_at timestamptz,
  refresh_expires_at timestamptz,
  rotated_at timestamptz             -- by the database's clock
) with (fillfactor = 70);
create index login_sessions_organization_id_idx on tollgate.login_sessions (organization_id, user_id);
create index login_sessions_user_id_idx on tollgate.login_sessions (user_id) where ended_at is null;
create index login_sessions_ended_at_idx on tollgate.login_sessions (ended_at) where ended_at is not null;
create index login_sessions_expires_at_idx on tollgate.login_sessions (expires_at) where ended_at is null;

-- What the gates refuse before it expires by itself: one token (jti) or all of a login session (sid). A row lives as long
-- as a token that it could meet.
create table tollgate.token_revocations (
  kind text not null check (kind in ('jti', 'sid')),
  id uuid not null,
  expires_at timestamptz not null,
  revoked_at timestamptz not null default now(),
  primary key (kind, id)
);
create index token_revocations_expires_at_idx on tollgate.token_revocations (expires_at);

-- Gates that hear nothing from Redis and go on by reading Postgres: until when they may believe what they read last.
create table tollgate.deaf_gates (
  instance_id uuid primary key,
  leased_until timestamptz not null
);

-- Login-session events that are committed and not yet in the queue.
create table tollgate.session_event_outbox (
  id bigint generated always as identity primary key,
  event jsonb not null,
  created_at timestamptz not null default now(),
  taken_until timestamptz not null default '-infinity' -- a relay is at it
);
