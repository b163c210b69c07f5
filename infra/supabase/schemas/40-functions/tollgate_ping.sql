-- Purpose: readiness. Parameters: none. Returns: one row: ok, now (the database's clock). Reads nothing.
create function public.tollgate_ping() returns table (ok boolean, now timestamptz)
language sql stable security invoker set search_path = ''
as $$ select true, now() $$;

revoke execute on function public.tollgate_ping from public, anon, authenticated;
grant execute on function public.tollgate_ping
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
