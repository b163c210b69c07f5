-- The limit of each user of an organization who has no own one. No row: none. Rows are never deleted.
create table tollgate.user_quota_defaults (
  organization_id uuid primary key,
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  policy jsonb,                              -- null: the default ladder
  version bigint not null default 1,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  is_limiting boolean generated always as (max_tokens is not null or policy is not null) stored,
  is_enrolled boolean not null default false, -- whether whom it falls on when it is set has a row in user_quotas
  enrolled_upto uuid,                         -- the last user of those who have; null: begin with the first
  waits_for text[]                            -- who was recording usage when it was first looked at, and still is; null: not yet
);

-- A limit of one user inside an organization. The organization's own limit holds beside it. Rows are never deleted: a limit
-- that is lifted leaves max_tokens null. The outlook is kept by the enforcer and read by whoever adds usage, with the row locked;
-- a row that is not own exists for it alone, or for a manual act. Whatever may change a decision makes the row due, in the same
-- transaction, so that nobody ever has to look for it.
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
  changes bigint not null default 0,         -- counts usage beyond the outlook and manual acts
  seen_changes bigint,                       -- version + changes that the last decision was made from; null: none yet
  is_settled boolean not null default true,  -- false: who was recording usage when the row came may not have seen it
  waits_for text[],                          -- of those, who had not ended when it was last looked at; null: not yet
  is_due boolean not null generated always as (seen_changes is distinct from version + changes) stored,
  primary key (organization_id, user_id)
);
create index user_quotas_due_idx on tollgate.user_quotas (organization_id, user_id) where is_due;

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
  lapses boolean not null default false,
  reduced_config jsonb,
  observed jsonb,
  reached jsonb not null default '{}',
  inputs_key text not null,
  told_under text not null default '',
  shared_key text not null default '', -- what it was decided from and all users of the organization share
  -- When time alone changes something. An active user needs no new period: the first usage in it is beyond the outlook.
  wakes_at timestamptz not null generated always as (
    case when state = 'active' and observed is null then due_at else least(period_end, due_at) end) stored,
  decided_at timestamptz not null default now(),
  primary key (organization_id, user_id)
);
create index user_enforcement_states_wakes_at_idx on tollgate.user_enforcement_states (wakes_at) where wakes_at < 'infinity';
create index user_enforcement_states_organization_id_wakes_at_idx on tollgate.user_enforcement_states (
  organization_id, wakes_at, user_id) where wakes_at < 'infinity';
create index user_enforcement_states_shared_key_idx on tollgate.user_enforcement_states (organization_id, shared_key, user_id);

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
