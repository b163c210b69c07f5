-- Keys for servers. Only the SHA-256 of a key is kept (it is 192 random bits, which nobody guesses from a fast hash) and its
-- first characters, by which people know it; organization_id null is the operator's.
create table tollgate.service_keys (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  key_prefix text not null,
  key_hash bytea not null unique check (length(key_hash) = 32),
  scopes text[] not null,
  organization_id uuid,
  created_at timestamptz not null default now(),
  created_by text not null default 'operator',
  expires_at timestamptz,   -- null: never; a rotation sets it to the end of the overlap
  replaced_by uuid,         -- the key that a rotation made of it
  last_used_at timestamptz, -- within a minute or two: written in batches
  revoked_at timestamptz
);
create index service_keys_organization_id_idx on tollgate.service_keys (organization_id, created_at desc);
