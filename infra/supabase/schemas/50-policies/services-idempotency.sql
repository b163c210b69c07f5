-- What each service may touch of the answers that are kept for repetitions.
select tollgate.open_table('tollgate.idempotent_requests', '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');
