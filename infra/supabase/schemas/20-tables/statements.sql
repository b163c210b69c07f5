-- Closing figures of what a period's days do not tell: entries that posted to a later period than their own, and entries of
-- a day that two periods share, as a change of time zone leaves one. Rollups by day and these together are a statement's
-- lines, long after the ledger's partition is gone. Written in the transaction that drops it.
create table tollgate.sealed_postings (
  organization_id uuid not null,
  period_start timestamptz not null,          -- the period that they posted to
  original_period_start timestamptz not null, -- their own
  date date not null,
  model text not null,
  user_id uuid not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  primary key (organization_id, period_start, original_period_start, date, model, user_id)
);
