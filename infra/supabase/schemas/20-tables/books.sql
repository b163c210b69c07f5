-- When Tollgate came to this database: usage of earlier days that no entry explains was there before it.
create table tollgate.installation (
  only_row boolean primary key default true check (only_row),
  installed_at timestamptz not null default now()
);
insert into tollgate.installation default values;

-- Rows that came into usage_metrics by no event, as they came, until reconcile has posted them as opening balances: later
-- events add to the same rows, so that these alone could not tell what was there before.
create table tollgate.preexisting_usage (
  organization_id uuid not null,
  user_id uuid not null,
  date date not null,
  tokens_used bigint not null,
  output_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  unpriced_events bigint not null,
  primary key (organization_id, date, user_id)
);

-- Closing figures: the sums of ledger entries whose partition is gone. Every rollup is the sum of the ledger and of these,
-- so that retention erases nothing and a sealed day still proves itself. Written in the transaction that drops the partition.
create table tollgate.sealed_days (
  organization_id uuid not null,
  date date not null,
  model text not null,
  user_id uuid not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_input_tokens bigint not null,
  cache_creation_input_tokens bigint not null,
  reasoning_output_tokens bigint not null,
  total_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  sealed_at timestamptz not null default now(),
  primary key (organization_id, date, model, user_id)
);

-- The same entries by chat session. A session that was there before Tollgate stands here with what it had.
create table tollgate.sealed_sessions (
  organization_id uuid not null,
  user_id uuid not null,
  librechat_session_id text not null,
  message_count bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  total_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  unpriced_events bigint not null,
  primary key (organization_id, user_id, librechat_session_id)
);

-- The same entries by the period that they posted to, and by model, as the lines of its statement need them.
create table tollgate.sealed_periods (
  organization_id uuid not null,
  period_start timestamptz not null,
  model text not null,
  total_tokens bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  primary key (organization_id, period_start, model)
);

-- Frozen statements of closed periods. Usage, corrections and re-rates that come later post to the open period, with a
-- reference to their own (usage_events.original_period_start). Never edited.
create table tollgate.period_statements (
  organization_id uuid not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  time_zone text not null,
  closed_at timestamptz not null default now(),
  closed_by text not null,
  used_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  lines jsonb, -- by model, written right after the freeze; null only in between
  primary key (organization_id, period_start)
);
