-- One database role a service, without login: whoever operates the project gives it a password
-- (`alter role … login password …`) or lets an own login role `set role` to it. Each may execute its own functions only.
do $$
declare
  service text;
begin
  foreach service in array array['tollgate_token_api', 'tollgate_usage_worker', 'tollgate_quota_enforcer'] loop
    if not exists (select from pg_roles where rolname = service) then
      execute format('create role %I nologin', service);
    end if;
  end loop;
end
$$;

-- For BI tools: reads what 50-policies/readers.sql opens, of all organizations. Not one of the services.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tollgate_reader') then
    create role tollgate_reader nologin;
  end if;
end
$$;

create schema if not exists tollgate;
grant usage on schema tollgate, public to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
grant usage on schema tollgate to authenticated; -- for the policy functions; no table of it is readable
