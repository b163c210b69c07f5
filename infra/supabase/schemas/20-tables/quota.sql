-- An organization's own limit and ladder; without a row the limit of its librechat_config or plan holds.
create table tollgate.quota_policies (
  organization_id uuid primary key,
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  sets_limit boolean not null default true,  -- false: only the ladder is its own
  policy jsonb,                              -- null: the plan's ladder, else the default one
  version bigint not null default 1,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  check (sets_limit or max_tokens is null)
);

-- Orders publications: rises with every change of an enforcement state.
create sequence tollgate.enforcement_revision;

-- What holds for the whole installation. One row.
create table tollgate.enforcement_control (
  id boolean primary key default true check (id),
  paused boolean not null default false,       -- true: gates refuse nobody for an enforcement state
  mode text not null default 'enforce' check (mode in ('enforce', 'observe')),
  epoch bigint not null default 1,             -- rises when a restored database would have let versions run backwards
  version_floor bigint not null default 0,     -- versions of this epoch lie above it
  revision bigint not null default nextval('tollgate.enforcement_revision'),
  reduced_configs jsonb not null default '{}', -- by name, for every organization's downgrade_to
  decision_id uuid,
  changed_at timestamptz not null default now()
);
insert into tollgate.enforcement_control default values;

-- Where the gate stands for an organization. Written by apply_enforcement and begin_epoch alone.
create table tollgate.enforcement_states (
  organization_id uuid primary key,
  state text not null check (state in ('active', 'warned', 'downgraded', 'revoked')),
  version bigint not null default 0, -- rises when issued access tokens become stale
  revision bigint not null default nextval('tollgate.enforcement_revision'),
  reason text,
  decision_id uuid,
  period_start timestamptz not null,
  period_end timestamptz not null,
  due_at timestamptz not null default 'infinity', -- when time alone changes something: a grant, a grace, a manual act ends
  lapses boolean not null default false, -- what it takes away, it takes until period_end alone, whether or not anybody decides then
  reduced_config jsonb,              -- what a downgrade leaves; null: nothing is reduced
  observed jsonb,                    -- what a step would have done that has no effect: soft, in grace, observed, exempt
  reached jsonb not null default '{}', -- since when steps with a grace are reached: key → epoch ms
  base_limit_tokens bigint,          -- limit without grants at the last evaluation; null: unlimited
  inputs_key text not null,          -- limit and policy this was decided from: another key means evaluate again
  told_under text not null default '', -- the last decision's inputs_key, and a number of its own each time it became another one
  decided_at timestamptz not null default now()
);

-- Every change of a state and every manual act, with what it was decided from. Never edited. seq
-- orders lists; it is no order of commits, so that nobody may read on from the last one seen.
create table tollgate.quota_decisions (
  id uuid primary key default gen_random_uuid(),
  seq bigint generated always as identity unique,
  organization_id uuid,              -- null: the whole installation (pause, resume, epoch)
  user_id uuid,                      -- null: the organization's own state
  kind text not null default 'change' check (kind in ('change', 'act')), -- act: ordered by hand, before it takes effect
  decided_at timestamptz not null default now(),
  effective_at timestamptz,          -- when what was taken away before had lapsed; null: as it was decided
  from_state text not null,
  to_state text not null,
  version bigint not null,
  reason text not null,
  observed jsonb,
  actor text not null,
  inputs jsonb not null
);
create index quota_decisions_organization_id_decided_at_idx on tollgate.quota_decisions (organization_id, decided_at desc);
-- For the view revocations, which is asked whenever usage is recorded: decisions on users, which are many, are passed over.
create index quota_decisions_revocations_idx on tollgate.quota_decisions (organization_id)
  where to_state = 'revoked' and user_id is null and kind = 'change';
create index quota_decisions_changes_idx on tollgate.quota_decisions (organization_id, decided_at, seq)
  where user_id is null and kind = 'change';
create index quota_decisions_organization_id_seq_idx on tollgate.quota_decisions (organization_id, seq desc);

-- What somebody ordered by hand for an organization, while it holds. The latest order replaces the one before.
create table tollgate.enforcement_overrides (
  organization_id uuid primary key,
  act text not null check (act in ('revoke', 'downgrade', 'exempt', 'restore')),
  until timestamptz,                 -- null: until it is taken back
  used_tokens bigint not null,       -- of the period when it was ordered: what `restore` forgives
  cost_usd numeric(30, 12) not null,
  actor text not null,
  reason text not null,
  decision_id uuid not null,
  created_at timestamptz not null default now()
);
