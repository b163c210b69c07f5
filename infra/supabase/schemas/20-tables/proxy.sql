-- A browser's session at the proxy in front of LibreChat. Only the SHA-256 of the cookie's id is kept. A row is also the
-- proof that its handoff was used: the session and the consumption of the handoff are one insert.
create table tollgate.proxy_sessions (
  id_hash bytea primary key check (length(id_hash) = 32),
  handoff_id uuid not null unique,
  access_token_id uuid, -- the access token that stood in for a handoff: its revocation ends the session
  login_session_id uuid not null,
  organization_id uuid not null,
  user_id uuid not null,
  started_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text check ((end_reason is null) = (ended_at is null))
);
create index proxy_sessions_expires_at_idx on tollgate.proxy_sessions (expires_at);
