-- Purpose: all that an access token says of a user. Parameters: for_user. Returns: no row for an unknown user or one
--   without an organization, else one; limit_tokens null = unlimited.
-- Invariant: read in one statement, so that a token never mixes two states. Reads only.
create function public.find_login(for_user uuid)
returns table (
  user_id uuid, email text, full_name text, username text, avatar_url text, role text,
  organization_id uuid, name text, domain text, plan_type text, librechat_config jsonb, plan_config jsonb,
  limit_tokens text, state text, version text, reduced_config jsonb, reason text, decision_id uuid, period_end timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select m.user_id, m.email, m.full_name, m.username, m.avatar_url, m.role,
    o.organization_id, o.name, o.domain, o.plan_type, o.librechat_config, p.librechat_config,
    i.limit_tokens::text, coalesce(s.state, 'active'), coalesce(s.version, 0)::text, s.reduced_config, s.reason,
    s.decision_id, s.period_end
  from tollgate.directory_members m
  join tollgate.directory_organizations o on o.organization_id = m.organization_id
  join tollgate.quota_inputs i on i.organization_id = o.organization_id
  left join tollgate.plans p on p.plan_type = o.plan_type
  left join tollgate.enforcement_states s on s.organization_id = o.organization_id
  where m.user_id = for_user
$$;

revoke execute on function public.find_login from public, anon, authenticated;
grant execute on function public.find_login to tollgate_token_api, service_role;
