-- Purpose: replace a key by a new one of the same name, scopes, organization and expiry; the old one stays good for the
--   overlap, so that servers can be moved over one by one. Parameters: change = { id (of the old key), new_id, key_prefix, key_sha256,
--   overlap_seconds (0: the old key ends now), actor }.
-- Returns: no row for a key that is unknown, revoked, expired or replaced by another already, else one: the new key.
-- Locks: the old key's row. Invariant: after a rotation neither key is good for longer than the old one was;
--   repeated with the same new id it changes nothing.
create function public.rotate_service_key(change jsonb) returns setof tollgate.service_key_view
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  old tollgate.service_keys;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (
    id uuid, new_id uuid, key_prefix text, key_sha256 text, overlap_seconds integer, actor text);
  select k.* into old from tollgate.service_keys k where k.id = asked.id for update;
  if old.replaced_by = asked.new_id then
    return query select v.* from tollgate.service_key_view v where v.id = asked.new_id;
    return;
  end if;
  if old.id is null or old.revoked_at is not null or old.replaced_by is not null or old.expires_at <= now() then return; end if;
  insert into tollgate.service_keys (id, name, key_prefix, key_hash, scopes, organization_id, expires_at, created_by)
  values (asked.new_id, old.name, asked.key_prefix, decode(asked.key_sha256, 'hex'), old.scopes, old.organization_id,
    old.expires_at, asked.actor);
  update tollgate.service_keys k set replaced_by = asked.new_id,
    expires_at = least(k.expires_at, now() + make_interval(secs => asked.overlap_seconds))
  where k.id = old.id returning k.* into old;
  perform tollgate.record_audit(asked.actor, 'key.rotated', 'key:' || old.id, jsonb_build_object('name', old.name,
    'prefix', old.key_prefix, 'new_id', asked.new_id, 'new_prefix', asked.key_prefix, 'old_expires_at', old.expires_at),
    old.organization_id);
  return query select v.* from tollgate.service_key_view v where v.id = asked.new_id;
end
$$;

revoke execute on function public.rotate_service_key from public, anon, authenticated;
grant execute on function public.rotate_service_key to tollgate_token_api, service_role;
