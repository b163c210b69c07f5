-- Purpose: all that a quota decision needs, and all that a quota report shows, read in one statement.
-- Parameters: for_organization, at (default: the database's present). Returns: no row for an unknown organization, else one;
--   amounts are of the current period, LLM tokens and US dollars as text; limit_tokens null = unlimited, grants included;
--   state columns null or defaults where none was decided yet, and where what was decided has lapsed with its period; has_user_limits: load_user_positions may
--   have rows; users_to_enroll, for enroll_users: all (a default was set), joined (it is 0, so that whoever joins falls under
--   it: perhaps nobody), none.
-- Invariant: the period is the one that holds `at` under the organization's schedule. Reads only.
create function public.load_quota_position(for_organization uuid, at timestamptz default now())
returns table (
  organization_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, limit_tokens text,
  base_limit_tokens text, granted_tokens text, policy jsonb, policy_version text, reduced_configs jsonb, mode text,
  manual_act jsonb, grants_due boolean, next_expiry timestamptz, inputs_key text, used_tokens text, reserved_tokens text,
  cost_usd text, unpriced_events text, counted_at timestamptz, state text, version text, revision text, reason text,
  decision_id uuid, state_period_start timestamptz, reduced_config jsonb, observed jsonb, reached jsonb, has_user_limits boolean, users_to_enroll text,
  as_of timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, i.time_zone, i.period_start, i.period_end, i.limit_tokens::text, i.base_limit_tokens::text,
    i.granted_tokens::text, i.policy, i.policy_version::text, i.reduced_configs, i.mode, i.manual_act, i.grants_due, i.next_expiry,
    i.inputs_key, coalesce(t.used_tokens, 0)::text,
    tollgate.open_reserved(i.organization_id)::text, coalesce(t.cost_usd, 0)::text, coalesce(t.unpriced_events, 0)::text,
    t.updated_at, tollgate.state_at(s.state, s.lapses, s.period_end, at),
    coalesce(s.version, c.version_floor)::text, s.revision::text, case when not e.is_over then s.reason end,
    case when not e.is_over then s.decision_id end, s.period_start, case when not e.is_over then s.reduced_config end,
    case when not e.is_over then s.observed end, case when s.period_start >= i.period_start then s.reached else '{}' end,
    -- With a limit, or all rows of everybody would be hashed.
    f.is_limiting is true or (select true from tollgate.user_quotas u where u.organization_id = i.organization_id limit 1) is true,
    case when f.is_limiting is not true then 'none' when not f.is_enrolled then 'all' when f.max_tokens = 0 then 'joined'
      else 'none' end, at
  from tollgate.quota_inputs_at(at) i
  cross join tollgate.enforcement_control c
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  cross join lateral (select tollgate.is_lapsed(s.lapses, s.period_end, at) as is_over) e
  where i.organization_id = for_organization
$$;

revoke execute on function public.load_quota_position from public, anon, authenticated;
grant execute on function public.load_quota_position to tollgate_token_api, tollgate_quota_enforcer, service_role;
