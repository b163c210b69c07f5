-- What each service may touch of the usage tables and the price book.
select tollgate.open_table('tollgate.model_prices', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.model_aliases', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.usage_event_identities',
  '{"tollgate_usage_worker": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('tollgate.usage_events', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.pending_corrections',
  '{"tollgate_usage_worker": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('public.usage_metrics', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert", "update"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.usage_by_model', '{"tollgate_token_api": ["select"], "tollgate_usage_worker": ["select", "insert", "update"]}');
select tollgate.open_table('public.chat_sessions', '{"tollgate_token_api": ["select"], "tollgate_usage_worker": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.event_inbox',
  '{"tollgate_token_api": ["select", "insert"], "tollgate_usage_worker": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('tollgate.dead_letters', '{"tollgate_usage_worker": ["select", "insert"], "tollgate_token_api": ["insert"]}');
