-- Purpose: the keys, newest first. Parameters: query = { organization_id (absent: all, the operator's too), id (absent: any) }.
-- Returns: a row a key, revoked and expired ones included, 1,000 at most. Reads only.
create function public.list_service_keys(query jsonb) returns setof tollgate.service_key_view
language sql stable security invoker set search_path = ''
as $$
  select v.*
  from tollgate.service_key_view v,
    jsonb_to_record(tollgate.unwrap(query)) as asked (organization_id uuid, id uuid)
  where (asked.organization_id is null or v.organization_id = asked.organization_id)
    and (asked.id is null or v.id = asked.id)
  order by v.created_at desc, v.id
  limit 1000
$$;

revoke execute on function public.list_service_keys from public, anon, authenticated;
grant execute on function public.list_service_keys to tollgate_token_api, service_role;
