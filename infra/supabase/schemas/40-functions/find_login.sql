-- Purpose: all that an access token says of a user. Parameters: for_user. Returns: no row for an unknown user or one
--   without an organization, else one; limit_tokens null = unlimited; version is the
--   organization's and the user's together: it rises whenever either does; state, reason and decision are the user's where
--   the user alone is revoked; while enforcement is paused nobody is, and what has lapsed with its period is over.
-- Invariant: read in one statement, so that a token never mixes two states. Reads only.
create function public.find_login(for_user uuid)
returns table (
  user_id uuid, email text, full_name text, username text, avatar_url text, role text,
  organization_id uuid, name text, domain text, plan_type text, librechat_config jsonb, plan_config jsonb,
  limit_tokens text, state text, version text, reduced_config jsonb, reason text, decision_id uuid, period_end timestamptz,
  user_reduced_config jsonb, is_user_revoked boolean)
language sql stable security invoker set search_path = ''
as $$
  select m.user_id, m.email, m.full_name, m.username, m.avatar_url, m.role,
    o.organization_id, o.name, o.domain, o.plan_type, o.librechat_config, p.librechat_config,
    i.limit_tokens::text,
    case when c.paused then 'active' when r.is_user_revoked then u.state
      else tollgate.state_at(s.state, s.lapses, s.period_end) end,
    (coalesce(s.version, c.version_floor) + coalesce(u.version, 0))::text, case when not e.is_over then s.reduced_config end,
    case when r.is_user_revoked then u.reason else s.reason end,
    case when r.is_user_revoked then u.decision_id else s.decision_id end,
    case when r.is_user_revoked then u.period_end else s.period_end end,
    case when not e.is_user_over then u.reduced_config end, r.is_user_revoked
  from tollgate.directory_members m
  -- Offset: each is a look of its own; taken into the joins, all organizations would be worked out first.
  cross join lateral (
    select d.* from tollgate.directory_organizations d where d.organization_id = m.organization_id offset 0) o
  cross join lateral (select q.* from tollgate.quota_inputs q where q.organization_id = o.organization_id offset 0) i
  left join tollgate.plans p on p.plan_type = o.plan_type
  cross join tollgate.enforcement_control c
  left join tollgate.enforcement_states s on s.organization_id = o.organization_id
  left join tollgate.user_enforcement_states u on u.organization_id = o.organization_id and u.user_id = m.user_id
  cross join lateral (
    select tollgate.is_lapsed(s.lapses, s.period_end) as is_over,
      tollgate.is_lapsed(u.lapses, u.period_end) as is_user_over) e
  cross join lateral (
    select coalesce(u.state = 'revoked', false) and not e.is_user_over
      and (e.is_over or s.state is distinct from 'revoked') as is_user_revoked) r
  where m.user_id = for_user
$$;

revoke execute on function public.find_login from public, anon, authenticated;
grant execute on function public.find_login to tollgate_token_api, service_role;
