-- What each service may touch of the login sessions and their revocation.
select tollgate.open_table('tollgate.login_sessions', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_usage_worker": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.token_revocations', '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('tollgate.deaf_gates', '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('tollgate.session_event_outbox',
  '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');
