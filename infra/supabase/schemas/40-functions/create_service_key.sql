-- Purpose: put a new key on record, by its hash. Parameters: change = { id, name, key_prefix, key_sha256 (64 hex digits),
--   scopes, organization_id (null: the operator's), expires_at (null: never), actor }.
-- Returns: no row for an unknown organization, else one: the key as list_service_keys shows it.
-- Invariant: repeated with the same id and hash it changes nothing. Locks: none.
create function public.create_service_key(change jsonb) returns setof tollgate.service_key_view
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (id uuid, name text, key_prefix text,
    key_sha256 text, scopes text[], organization_id uuid, expires_at timestamptz, actor text);
  if asked.organization_id is not null and not exists (
    select from tollgate.directory_organizations o where o.organization_id = asked.organization_id) then return; end if;
  insert into tollgate.service_keys as k
    (id, name, key_prefix, key_hash, scopes, organization_id, expires_at, created_by)
  values (asked.id, asked.name, asked.key_prefix, decode(asked.key_sha256, 'hex'), asked.scopes, asked.organization_id,
    asked.expires_at, asked.actor)
  on conflict (id) do nothing;
  if found then
    perform tollgate.record_audit(asked.actor, 'key.created', 'key:' || asked.id, jsonb_build_object('name', asked.name,
      'prefix', asked.key_prefix, 'scopes', asked.scopes, 'expires_at', asked.expires_at), asked.organization_id);
  end if;
  return query select v.* from tollgate.service_key_view v where v.id = asked.id;
end
$$;

revoke execute on function public.create_service_key from public, anon, authenticated;
grant execute on function public.create_service_key to tollgate_token_api, service_role;
