-- What each service may touch of webhooks.
select tollgate.open_table('tollgate.webhook_endpoints',
  '{"tollgate_token_api": ["select", "insert", "update"], "tollgate_quota_enforcer": ["select", "update"]}');
select tollgate.open_table('tollgate.webhook_deliveries', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_quota_enforcer": ["select", "insert", "update", "delete"]}');
