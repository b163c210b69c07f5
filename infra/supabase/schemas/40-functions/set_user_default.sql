-- Purpose: set the limit that each user of an organization has who has no own one, and its ladder if one is given.
-- Parameters: change = { organization_id, limit (null: none), policy (absent: as it is; null: the default ladder), version
--   (the one that the change was made from, '0' for none; absent: whichever), actor }.
-- Returns: no row for an unknown organization, else one: refusal (version: somebody changed it meanwhile; null: it is as was
--   asked), and as load_user_default what holds now.
-- Locks: the default of this organization against other changes, then its row. Invariant: what is set as it was changes
--   nothing. A change wakes the enforcer by itself: the shared key of those who have a row no longer agrees. The others
--   are enrolled where nobody has been, and none is where all have a row by now.
create function public.set_user_default(change jsonb)
returns table (
  refusal text, limit_tokens text, policy jsonb, version text, updated_by text, updated_at timestamptz)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  wanted bigint := (asked ->> 'limit')::bigint;
  ladder jsonb := nullif(asked -> 'policy', 'null');
  held tollgate.user_quota_defaults;
begin
  if not exists (select from tollgate.directory_organizations o where o.organization_id = organization) then return; end if;
  perform pg_advisory_xact_lock(hashtextextended('tollgate.set_user_default:' || organization, 0));
  select * into held from tollgate.user_quota_defaults f where f.organization_id = organization;
  if not asked ? 'policy' then ladder := held.policy; end if;
  if (asked ->> 'version')::bigint <> coalesce(held.version, 0) then
    refusal := 'version';
  elsif held.max_tokens is distinct from wanted or held.policy is distinct from ladder then
    insert into tollgate.user_quota_defaults as q (organization_id, max_tokens, policy, updated_by)
    values (organization, wanted, ladder, asked ->> 'actor')
    on conflict (organization_id) do update set
      max_tokens = excluded.max_tokens, policy = excluded.policy, version = q.version + 1,
      -- Who used something while a default was limiting has a row; who merely is a member has one where it was 0.
      is_enrolled = q.is_limiting and q.is_enrolled and (excluded.max_tokens is distinct from 0 or q.max_tokens = 0) is true,
      enrolled_upto = case
        when q.is_limiting and (excluded.max_tokens is distinct from 0 or q.max_tokens = 0) is true then q.enrolled_upto end,
      waits_for = case when q.is_limiting then q.waits_for end,
      updated_by = excluded.updated_by, updated_at = now();
    perform tollgate.record_audit(asked ->> 'actor', 'user_default.changed', 'organization:' || organization,
      jsonb_build_object('limit', asked -> 'limit', 'policy', asked -> 'policy'));
  end if;
  return query select refusal, d.* from public.load_user_default(organization) d;
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
