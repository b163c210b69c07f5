-- What each service may touch of the servers' keys.
select tollgate.open_table('tollgate.service_keys', '{"tollgate_token_api": ["select", "insert", "update"]}');
