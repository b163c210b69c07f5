-- Every administrative act: who did what to whom, and when. Written by tollgate.record_audit alone, inside the transaction
-- of the act itself; never edited.
create table tollgate.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null check (actor <> ''),   -- user:<id>, key:<id>, operator (bootstrap key), cli, system:<service>
  action text not null check (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
  target text not null check (target <> ''), -- <kind>:<id>, such as organization:<id>, key:<id>, user:<id>
  organization_id uuid,                      -- whose admin may read it; null: the operator alone
  details jsonb not null default '{}' check (jsonb_typeof(details) = 'object')
);
create index audit_log_organization_id_idx on tollgate.audit_log (organization_id, id desc);
