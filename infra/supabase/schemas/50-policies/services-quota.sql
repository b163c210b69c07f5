-- What each service may touch of the quota tables.
select tollgate.open_table('tollgate.period_totals', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert", "update"], "tollgate_quota_enforcer": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.quota_policies',
  '{"tollgate_token_api": ["select", "insert", "update"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.enforcement_states',
  '{"tollgate_token_api": ["select"], "tollgate_quota_enforcer": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.quota_decisions',
  '{"tollgate_usage_worker": ["select"], "tollgate_quota_enforcer": ["select", "insert"]}');

grant usage on sequence tollgate.enforcement_revision to tollgate_quota_enforcer, service_role;
