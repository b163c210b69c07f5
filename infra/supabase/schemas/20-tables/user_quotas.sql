-- The limit of each user of an organization who has no own one. No row: none. Rows are never deleted.
create table tollgate.user_quota_defaults (
  organization_id uuid primary key,
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  policy jsonb,                              -- null: the default ladder
  version bigint not null default 1,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  is_limiting boolean generated always as (max_tokens is not null or policy is not null) stored
);

-- A limit of one user inside an organization. The organization's own limit holds beside it. Rows are never deleted: a limit
-- that is lifted leaves max_tokens null. The outlook is kept by the enforcer and read by ingest_usage; a row that is not own
-- exists for it alone, or for a manual act.
create table tollgate.user_quotas (
  organization_id uuid not null,
  user_id uuid not null,
  is_own boolean not null default true,      -- false: the organization's default for its users holds
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  policy jsonb,                              -- null: the ladder of the organization's default for its users
  version bigint not null default 1,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  from_date date not null default '-infinity', -- the period's days of usage_metrics
  to_date date not null default 'infinity',
  evaluate_at bigint default 0,
  evaluate_below bigint,
  evaluate_at_usd numeric(30, 12),
  evaluate_below_usd numeric(30, 12),
  primary key (organization_id, user_id)
);

-- Where the gate stands for a user that has, or once had, a limit. As enforcement_states.
create table tollgate.user_enforcement_states (
  organization_id uuid not null,
  user_id uuid not null,
  state text not null check (state in ('active', 'warned', 'downgraded', 'revoked')),
  version bigint not null default 0,
  revision bigint not null default nextval('tollgate.enforcement_revision'),
  reason text,
  decision_id uuid,
  period_start timestamptz not null,
  period_end timestamptz not null,
  due_at timestamptz not null default 'infinity',
  reduced_config jsonb,
  observed jsonb,
  reached jsonb not null default '{}',
  inputs_key text not null,
  decided_at timestamptz not null default now(),
  primary key (organization_id, user_id)
);

-- What somebody ordered by hand for a user, while it holds. As enforcement_overrides; whoever has one has a row in user_quotas.
create table tollgate.user_enforcement_overrides (
  organization_id uuid not null,
  user_id uuid not null,
  act text not null check (act in ('revoke', 'downgrade', 'exempt', 'restore')),
  until timestamptz,
  used_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  actor text not null,
  reason text not null,
  decision_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, user_id)
);
