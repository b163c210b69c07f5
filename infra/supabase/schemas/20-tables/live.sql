-- When listeners of an organization were last told that something changed: once a second at most, however many services
-- tell. Worth nothing after a crash.
create unlogged table tollgate.live_marks (
  organization_id uuid primary key,
  sent_at timestamptz not null
);
