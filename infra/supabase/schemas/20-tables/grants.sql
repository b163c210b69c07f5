-- LLM tokens on top of an organization's monthly limit. Spent soonest expiry first, the monthly limit among them as what
-- expires with the period; then by priority, the lowest number first, then the oldest.
create table tollgate.grants (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  amount_tokens bigint not null check (amount_tokens between 1 and 4503599627370496),
  priority integer not null default 100,
  expires_at timestamptz,            -- null: never
  reason text not null,
  idempotency_key text not null,
  actor text not null,
  created_at timestamptz not null default now(),
  settled_until timestamptz not null, -- start of the first period whose spending is not settled
  closed_at timestamptz,             -- spent, expired or voided; null: still counts
  voided_at timestamptz,             -- what was left was taken back; with who and why
  voided_by text,
  void_reason text,
  unique (organization_id, idempotency_key),
  check (voided_at is null or (closed_at is not null and voided_by is not null and void_reason is not null))
);

-- What a grant gave to a period, fixed when the period is over, or the grant has expired or was voided.
create table tollgate.grant_spending (
  grant_id uuid not null references tollgate.grants (id),
  period_start timestamptz not null,
  spent_tokens bigint not null check (spent_tokens >= 0),
  primary key (grant_id, period_start)
);
