-- What each service may touch of the audit trail: all may add, none may change; the token API shows it.
select tollgate.open_table('tollgate.audit_log', '{"tollgate_token_api": ["select", "insert"],
  "tollgate_usage_worker": ["select", "insert"], "tollgate_quota_enforcer": ["select", "insert"]}');
