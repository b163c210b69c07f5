-- Last of all. PostgreSQL lets everybody execute a new function; here a grant has to say so.
drop function tollgate.open_table, tollgate.adopt_column, tollgate.adopt_table, tollgate.drop_keys, tollgate.key_columns,
  tollgate.demand_key, tollgate.demand_lossless, tollgate.demand_unread, tollgate.demand_mergeable, tollgate.adopt_key,
  tollgate.adopted_count, tollgate.adopted_instant;
revoke execute on all functions in schema tollgate from public;

grant select on tollgate.directory_organizations, tollgate.directory_members
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

select public.ensure_usage_partitions();
