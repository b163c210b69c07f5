-- What each service may touch of the holds.
select tollgate.open_table('tollgate.reservations', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_usage_worker": ["select", "update"], "tollgate_quota_enforcer": ["select", "update", "delete"]}');
select tollgate.open_table('tollgate.reserved_totals', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_usage_worker": ["select", "update"], "tollgate_quota_enforcer": ["select", "update"]}');
