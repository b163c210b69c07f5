-- What each service may touch of the books. Sealing runs with its owner's rights: a service cannot write closing figures.
select tollgate.open_table('tollgate.installation', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.preexisting_usage', '{"tollgate_usage_worker": ["select", "delete"]}');
select tollgate.open_table('tollgate.sealed_days', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.sealed_sessions', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.sealed_periods', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.period_statements', '{"tollgate_usage_worker": ["select"]}');
