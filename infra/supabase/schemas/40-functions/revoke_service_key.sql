-- Purpose: end a key at once. Parameters: change = { id, actor }.
-- Returns: no row for an unknown key, else one: the key. Locks: its row.
-- Invariant: a key that is revoked stays as it is, and the trail says it once.
create function public.revoke_service_key(change jsonb) returns setof tollgate.service_key_view
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  ended tollgate.service_keys;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (id uuid, actor text);
  update tollgate.service_keys k set revoked_at = now() where k.id = asked.id and k.revoked_at is null
  returning k.* into ended;
  if ended.id is not null then
    perform tollgate.record_audit(asked.actor, 'key.revoked', 'key:' || ended.id,
      jsonb_build_object('name', ended.name, 'prefix', ended.key_prefix), ended.organization_id);
  end if;
  return query select v.* from tollgate.service_key_view v where v.id = asked.id;
end
$$;

revoke execute on function public.revoke_service_key from public, anon, authenticated;
grant execute on function public.revoke_service_key to tollgate_token_api, service_role;
