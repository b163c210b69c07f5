-- What each service may touch of the rollups that reports read.
select tollgate.open_table('tollgate.usage_by_organization_model', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.usage_by_month', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert", "update", "delete"]}');
