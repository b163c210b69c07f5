-- A server's key as it may be shown: everything but its hash. Read with the caller's rights.
create view tollgate.service_key_view with (security_invoker = true) as
  select k.id, k.name, k.key_prefix as prefix, k.scopes, k.organization_id, k.created_at, k.created_by, k.expires_at,
    k.replaced_by, k.last_used_at, k.revoked_at
  from tollgate.service_keys k;

grant select on tollgate.service_key_view to tollgate_token_api, service_role;
