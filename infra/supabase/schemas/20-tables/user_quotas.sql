-- A limit of one user inside an organization. The organization's own limit holds beside it. Rows are never deleted: a limit
-- that is lifted leaves max_tokens and policy null. The outlook is kept by the enforcer and read by ingest_usage.
create table tollgate.user_quotas (
  organization_id uuid not null,
  user_id uuid not null,
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  policy jsonb,                              -- null: the default ladder
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
