-- Purpose: set the limit that each user of an organization has who has no own one, and its ladder if one is given.
-- Parameters: change = { organization_id, limit (null: none), policy (absent: as it is), actor }.
-- Returns: no row for an unknown organization, else one as load_user_default.
-- Locks: the default's row. Invariant: the change wakes the enforcer by itself: whom it falls on is enrolled anew, and the shared
--   key of those who are no longer agrees.
create function public.set_user_default(change jsonb)
returns table (limit_tokens text, policy jsonb, version text, updated_by text, updated_at timestamptz)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
begin
  if not exists (select from tollgate.directory_organizations o where o.organization_id = organization) then return; end if;
  insert into tollgate.user_quota_defaults as q (organization_id, max_tokens, policy, updated_by)
  values (organization, (asked ->> 'limit')::bigint, asked -> 'policy', asked ->> 'actor')
  on conflict (organization_id) do update set
    max_tokens = excluded.max_tokens, policy = coalesce(excluded.policy, q.policy), version = q.version + 1,
    is_enrolled = false, enrolled_upto = null, updated_by = excluded.updated_by, updated_at = now();
  perform tollgate.record_audit(asked ->> 'actor', 'user_default.changed', 'organization:' || organization,
    jsonb_build_object('limit', asked -> 'limit', 'policy', asked -> 'policy'));
  return query select * from public.load_user_default(organization);
end
$$;

-- Purpose: the limit of an organization's users without an own one. Parameters: for_organization. Returns: no row for an unknown
--   organization, else one: limit_tokens (null: none), policy (null: the default ladder), version ('0': never set), updated_by,
--   updated_at. Reads only.
create function public.load_user_default(for_organization uuid)
returns table (limit_tokens text, policy jsonb, version text, updated_by text, updated_at timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select f.max_tokens::text, f.policy, coalesce(f.version, 0)::text, f.updated_by, f.updated_at
  from tollgate.directory_organizations o
  left join tollgate.user_quota_defaults f on f.organization_id = o.organization_id
  where o.organization_id = for_organization
$$;

revoke execute on function public.set_user_default, public.load_user_default from public, anon, authenticated;
grant execute on function public.set_user_default, public.load_user_default to tollgate_token_api, service_role;
