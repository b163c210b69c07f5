-- What each service may touch of the intake's own tables.
select tollgate.open_table('tollgate.redis_marks', '{"tollgate_usage_worker": ["select", "insert", "update"]}');
