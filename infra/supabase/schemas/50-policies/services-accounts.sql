-- What each service may touch: the tables that its functions need (they run with the caller's rights), and no other.
select tollgate.open_table('tollgate.organization_settings',
  '{"tollgate_token_api": ["select", "insert", "update"], "tollgate_usage_worker": ["select"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.period_schedules',
  '{"tollgate_token_api": ["select", "insert", "update", "delete"], "tollgate_usage_worker": ["select"],
    "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.plans',
  '{"tollgate_token_api": ["select"], "tollgate_usage_worker": ["select"], "tollgate_quota_enforcer": ["select"]}');
grant select on tollgate.markups to tollgate_usage_worker, service_role;
