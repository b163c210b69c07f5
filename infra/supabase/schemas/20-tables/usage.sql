-- Identities: (organization, source, id) counts once. A table of its own, because the ledger is partitioned by time
-- and could not carry this key across months. digest = first 16 bytes of SHA-256 over source, NUL, id.
create table tollgate.usage_event_identities (
  organization_id uuid not null,
  digest bytea not null,
  counts_digest bytea not null, -- what was counted, to tell a repeat from a contradiction
  seen_at timestamptz not null default now(),
  imported boolean not null default false, -- never pruned: an import may be repeated years later
  primary key (organization_id, digest)
);
-- For pruning by age: a few bytes for each range of pages, next to nothing for an insert.
create index usage_event_identities_seen_at_idx on tollgate.usage_event_identities using brin (seen_at);

-- Ledger: signed entries, never edited. Every rollup is the plain sum of the signed columns under some of the stamped keys.
-- An event that counted is a `usage` entry; a correction adds the `reversal` of what held and its `replacement`; a
-- `rerate` adds the difference of a price. Cost and charge are exact to 12 decimals: a charge is rounded once, half up,
-- when it is stamped here, and nowhere else. Partitioned by month of the event's time.
create table tollgate.usage_events (
  organization_id uuid not null,
  digest bytea not null,
  source text not null,
  event_id text not null,
  time timestamptz not null,
  received_at timestamptz not null,
  recorded_at timestamptz not null default now(), -- of the transaction: an identity's seen_at equals its usage entry's
  user_id uuid not null,
  session_id text not null,
  message_id text,
  provider text,
  model text not null,
  entry text not null default 'usage' check (entry in ('usage', 'reversal', 'replacement', 'rerate', 'opening_balance')),
  revision integer not null default 0, -- of the correction that this entry belongs to; 0: as first reported
  imported boolean not null default false,
  after_revocation boolean not null default false, -- the call was made while the organization was revoked
  input_tokens bigint not null check (input_tokens between -9007199254740991 and 9007199254740991),
  output_tokens bigint not null check (output_tokens between -9007199254740991 and 9007199254740991),
  cache_read_input_tokens bigint not null check (cache_read_input_tokens between -9007199254740991 and 9007199254740991),
  cache_creation_input_tokens bigint not null
    check (cache_creation_input_tokens between -9007199254740991 and 9007199254740991),
  reasoning_output_tokens bigint not null check (reasoning_output_tokens between -9007199254740991 and 9007199254740991),
  total_tokens bigint not null,
  message_count integer not null,
  event_count integer not null default 1, -- usage and replacement 1 (of a voided event 0), reversal -1, rerate 0
  unpriced_events integer not null default 0,
  usage_date date not null,           -- in the organization's time zone, as of recording
  period_start timestamptz not null,  -- likewise: the period that this entry posts to
  original_period_start timestamptz,  -- its own period, where that was closed and it posts to a later one
  price_id bigint,                    -- null: no price was known
  cost_usd numeric(30, 12),           -- what the provider charges; null: no price was known; never zero for that
  charge_usd numeric(30, 12),         -- what the organization is billed: cost and markup
  check (total_tokens = input_tokens + output_tokens),
  check ((cost_usd is null) = (charge_usd is null)),
  check (entry <> 'usage' or (
    input_tokens >= cache_read_input_tokens + cache_creation_input_tokens and cache_read_input_tokens >= 0
    and cache_creation_input_tokens >= 0 and output_tokens >= reasoning_output_tokens and reasoning_output_tokens >= 0
    and message_count >= 0 and (price_id is null) = (cost_usd is null)))
) partition by range (time);

-- Months are created ahead (ensure_usage_partitions); what no month takes lands here, so that counting never stops.
create table tollgate.usage_events_default partition of tollgate.usage_events default;
create index usage_events_organization_id_usage_date_idx on tollgate.usage_events (organization_id, usage_date);
-- A correction finds its original by the time at which it was recorded: an index that grows at its end alone, and costs
-- next to nothing. What was added to an event later is rare and has an index of its own.
create index usage_events_recorded_at_idx on tollgate.usage_events (recorded_at);
create index usage_events_adjustments_idx on tollgate.usage_events (organization_id, digest) where entry <> 'usage';
-- What posts to a later period than its own, to prove that one's total, and to show it in the statement of its own.
create index usage_events_postponed_idx on tollgate.usage_events (organization_id, period_start)
  where original_period_start is not null;
create index usage_events_origin_idx on tollgate.usage_events (organization_id, original_period_start)
  where original_period_start is not null;

-- Rollup by organization, user and day: the contract's table, which a project may have already (15-adopt). Rollups leave room in each page (fillfactor), so that an
-- update stays on its page and touches no index.
create table if not exists public.usage_metrics (
  organization_id uuid not null,
  user_id uuid not null,
  date date not null,
  tokens_used bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_usd numeric(30, 12) not null default 0, -- of the priced events; unpriced_events says how many are missing
  charge_usd numeric(30, 12) not null default 0,
  message_count bigint not null default 0,
  event_count bigint not null default 0,
  unpriced_events bigint not null default 0,
  updated_at timestamptz not null default now(),
  primary key (organization_id, user_id, date)
) with (fillfactor = 60);
create index if not exists usage_metrics_organization_id_date_idx on public.usage_metrics (organization_id, date);
create index if not exists usage_metrics_user_id_idx on public.usage_metrics (user_id);

-- Rollup by organization, user, model and day, with the kinds of LLM tokens.
create table tollgate.usage_by_model (
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
  primary key (organization_id, date, model, user_id)
) with (fillfactor = 60);

-- Rollup by organization, model and day: what a year's report of a whole organization reads, twenty times less than the
-- rollup by user would make it.
create table tollgate.usage_by_organization_model (
  organization_id uuid not null,
  date date not null,
  model text not null,
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
  primary key (organization_id, date, model)
) with (fillfactor = 60);

-- Months that are over, folded: the sums of usage_metrics (rows of users) and of usage_by_organization_model (rows of models).
-- A year's report reads a few pages of it, however the rows of the days lie. A month that has rows here is read here, and
-- they are the sums of its days: whatever changes one of these deletes them in the same transaction (unfold_months).
create table tollgate.usage_by_month (
  organization_id uuid not null,
  month date not null, -- its first day
  user_id uuid,        -- null: a row of a model
  model text,          -- null: a row of a user
  total_tokens bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_input_tokens bigint, -- null: usage_metrics does not know the kinds
  cache_creation_input_tokens bigint,
  reasoning_output_tokens bigint,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  check ((user_id is null) <> (model is null)),
  unique nulls not distinct (organization_id, month, user_id, model)
);

-- Rollup by chat session: the contract's table, likewise. Every column follows from the set of events, in whatever order they came.
create table if not exists public.chat_sessions (
  organization_id uuid not null,
  user_id uuid not null,
  librechat_session_id text not null,
  model_used text,
  model_used_at timestamptz,
  session_metadata jsonb not null default '{}', -- what the client said, beside `messages` and `tokens`
  metadata_at timestamptz,
  started_at timestamptz not null,
  last_activity_at timestamptz not null,
  end_event_at timestamptz,    -- the last end that was reported; without force when there was activity after it
  end_event_reason text,
  closed_at timestamptz,       -- by close_sessions: idle, or its user logged out, or the organization was revoked
  close_reason text,
  status text generated always as (case
    when end_event_at >= last_activity_at then 'ended'
    when closed_at is null then 'active'
    when close_reason = 'idle' then 'idle'
    else 'ended' end) stored,
  ended_at timestamptz generated always as
    (case when end_event_at >= last_activity_at then end_event_at else closed_at end) stored,
  end_reason text generated always as
    (case when end_event_at >= last_activity_at then end_event_reason else close_reason end) stored,
  message_count bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  total_tokens bigint not null default 0,
  cost_usd numeric(30, 12) not null default 0,
  charge_usd numeric(30, 12) not null default 0,
  unpriced_events bigint not null default 0,
  primary key (organization_id, user_id, librechat_session_id)
) with (fillfactor = 60);
-- Sessions are counted from the index alone, under a policy that asks whose they are.
create index if not exists chat_sessions_organization_id_started_at_idx on public.chat_sessions (organization_id, started_at)
  include (user_id);
-- A user's pages are found without reading the others'.
create index if not exists chat_sessions_user_id_started_at_idx on public.chat_sessions (user_id, started_at);
-- For close_sessions. Activity changes neither column, so that it touches no index.
create index if not exists chat_sessions_active_idx on public.chat_sessions (organization_id) where status = 'active';

-- Total of an organization's period: what the quota is compared with.
create table tollgate.period_totals (
  organization_id uuid not null,
  period_start timestamptz not null,
  used_tokens bigint not null default 0,
  cost_usd numeric(30, 12) not null default 0,
  charge_usd numeric(30, 12) not null default 0,
  event_count bigint not null default 0,
  unpriced_events bigint not null default 0,
  evaluate_at bigint default 0, -- the next total that could change a decision; null: none
  evaluate_below bigint,        -- likewise downwards: a total below it (a correction) could
  evaluate_at_usd numeric(30, 12),
  evaluate_below_usd numeric(30, 12),
  is_due boolean not null generated always as (
    coalesce(used_tokens >= evaluate_at, false) or coalesce(used_tokens < evaluate_below, false)
    or coalesce(cost_usd >= evaluate_at_usd, false) or coalesce(cost_usd < evaluate_below_usd, false)) stored,
  updated_at timestamptz not null default now(),
  primary key (organization_id, period_start)
);

-- Accepted while Redis was away; the workers drain it like a queue.
create table tollgate.event_inbox (
  id bigint generated always as identity primary key,
  received_at timestamptz not null default now(),
  event_count integer generated always as (jsonb_array_length(events)) stored,
  events jsonb not null
);

-- What could not be recorded, with its reason.
create table tollgate.dead_letters (
  id bigint generated always as identity primary key,
  queue text not null,
  reason text not null,
  detail text,
  payload text not null, -- text: what is in here may be what jsonb refused
  created_at timestamptz not null default now()
);
-- Usage as it comes from the queue. The API writes it, column by column (packages/shared/src/contracts/usage-rows.ts).
create type tollgate.usage_row as (
  source text,
  id text,
  time timestamptz,
  received_at timestamptz,
  member boolean,
  organization_id uuid,
  user_id uuid,
  session_id text,
  message_id text,
  provider text,
  model text,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint,
  reasoning_output_tokens bigint,
  message_count integer,
  reservation_id uuid
);
-- An event after judge_events: typed, with its day, period, price and, where it may not count, the reason. An entry of the
-- ledger before it is written, too.
create type tollgate.judged_event as (
  ordinal bigint,
  type text,
  entry text,
  revision integer,
  organization_id uuid,
  digest bytea,
  counts_digest bytea,
  source text,
  event_id text,
  time timestamptz,
  received_at timestamptz,
  imported boolean,
  after_revocation boolean,
  user_id uuid,
  session_id text,
  message_id text,
  provider text,
  model text,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint,
  reasoning_output_tokens bigint,
  total_tokens bigint,
  message_count integer,
  event_count integer,
  unpriced_events integer,
  metadata jsonb,
  login_session_id uuid,
  expires_at timestamptz,
  end_reason text,
  usage_date date,
  period_start timestamptz,
  original_period_start timestamptz,
  is_current_period boolean,
  price_id bigint,
  cost_usd numeric,
  charge_usd numeric,
  rejection text,
  reservation_id uuid
);
