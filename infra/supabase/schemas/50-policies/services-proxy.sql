-- What each service may touch of the proxy's sessions.
select tollgate.open_table('tollgate.proxy_sessions',
  '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');
