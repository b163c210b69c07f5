-- An organization's own limit and ladder; without a row the limit of its librechat_config or plan holds.
create table tollgate.quota_policies (
  organization_id uuid primary key,
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  policy jsonb,                              -- null: the default ladder
  version bigint not null default 1,
  updated_by text not null,
  updated_at timestamptz not null default now()
);

-- Orders publications: rises with every change of an enforcement state.
create sequence tollgate.enforcement_revision;

-- Where the gate stands for an organization. Written by apply_enforcement alone.
create table tollgate.enforcement_states (
  organization_id uuid primary key,
  state text not null check (state in ('active', 'warned', 'downgraded', 'revoked')),
  version bigint not null default 0, -- rises when issued access tokens become stale
  revision bigint not null default nextval('tollgate.enforcement_revision'),
  reason text,
  decision_id uuid,
  period_start timestamptz not null,
  period_end timestamptz not null,
  reduced_config jsonb,              -- what a downgrade leaves; null: nothing is reduced
  inputs_key text not null,          -- limit and policy this was decided from: another key means evaluate again
  decided_at timestamptz not null default now()
);

-- Every change of a state, with what it was decided from. Never edited.
create table tollgate.quota_decisions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  decided_at timestamptz not null default now(),
  from_state text not null,
  to_state text not null,
  version bigint not null,
  reason text not null,
  actor text not null,
  inputs jsonb not null
);
create index quota_decisions_organization_id_decided_at_idx on tollgate.quota_decisions (organization_id, decided_at desc);
create index quota_decisions_revocations_idx on tollgate.quota_decisions (organization_id) where to_state = 'revoked';
