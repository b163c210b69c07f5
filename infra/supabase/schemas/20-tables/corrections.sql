-- Corrections whose original has not arrived: the highest revision of each. Applied, and removed, when it arrives.
create table tollgate.pending_corrections (
  organization_id uuid not null,
  digest bytea not null, -- identity of the original
  revision integer not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_input_tokens bigint not null,
  cache_creation_input_tokens bigint not null,
  reasoning_output_tokens bigint not null,
  total_tokens bigint not null,
  message_count integer, -- null: as the original says
  received_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, digest)
);
