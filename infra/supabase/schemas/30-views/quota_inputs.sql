-- Purpose: the monthly limit that a stored librechat_config states. Parameters: config (may be null or malformed).
-- Returns: 'unlimited', a whole number of LLM tokens as text, or null where the config does not say.
-- Invariant: a malformed value never becomes a limit; the next source is asked.
create function tollgate.stored_limit(config jsonb) returns text
language sql immutable parallel safe
return case
  when jsonb_typeof(config) <> 'object' or not config ? 'max_tokens' then null
  when jsonb_typeof(config -> 'max_tokens') = 'null' then 'unlimited'
  when config ->> 'max_tokens' ~ '^\d{1,15}$' then config ->> 'max_tokens'
end;

grant execute on function tollgate.stored_limit to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- Purpose: what grants add to an organization's limit in a period: what open ones have left at its start, and what those
--   that ended in it had given. Parameters: for_organization, in_period (its start), at.
-- Returns: one row: granted, due (a grant has expired or a period is over, and it is not settled), next_expiry.
-- Reads only, with the caller's rights; without `set`, so that it is inlined.
create function tollgate.granted_tokens(for_organization uuid, in_period timestamptz, at timestamptz)
returns table (granted bigint, due boolean, next_expiry timestamptz)
language sql stable parallel safe
as $$
  select
    coalesce(sum(case when g.closed_at is null then greatest(0, g.amount_tokens - s.earlier) else s.present end), 0)::bigint,
    coalesce(bool_or(g.closed_at is null and (g.settled_until < in_period or g.expires_at <= at)), false),
    min(g.expires_at) filter (where g.closed_at is null)
  from tollgate.grants g
  cross join lateral (
    select coalesce(sum(p.spent_tokens) filter (where p.period_start < in_period), 0) as earlier,
      coalesce(sum(p.spent_tokens) filter (where p.period_start = in_period), 0) as present
    from tollgate.grant_spending p where p.grant_id = g.id) s
  where g.organization_id = for_organization
$$;

-- Purpose: what every organization's quota is decided from at an instant, beside its usage.
-- Parameters: at. Returns: a row an organization; base_limit_tokens is the limit without grants, limit_tokens with them, null
--   = unlimited; policy null = the default ladder; reduced_configs: by name, the plan's before the installation's; manual_act
--   null = none; inputs_key changes whenever any of these or the schedule do. Precedence of limit and ladder: an own quota
--   policy that sets it, then the organization's config, then its plan, then unlimited and the default ladder.
-- Reads only, with the caller's rights; without `set`, so that it is inlined.
create function tollgate.quota_inputs_at(at timestamptz)
returns table (
  organization_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, base_limit_tokens bigint,
  granted_tokens bigint, limit_tokens bigint, policy jsonb, policy_version bigint, reduced_configs jsonb, mode text,
  manual_act jsonb, grants_due boolean, next_expiry timestamptz, inputs_key text)
language sql stable parallel safe
as $$
  select i.organization_id, i.time_zone, i.period_start, i.period_end, i.base_limit_tokens, g.granted,
    i.base_limit_tokens + g.granted, i.policy, i.policy_version, i.reduced_configs, i.mode, i.manual_act, g.due, g.next_expiry,
    md5(concat_ws('|', extract(epoch from i.period_end), i.time_zone, coalesce(i.base_limit_tokens::text, 'unlimited'),
      g.granted, coalesce(i.policy::text, 'default'), i.reduced_configs, i.mode, i.manual_act ->> 'decision_id'))
  from (
    select o.organization_id, coalesce(h.time_zone, 'UTC') as time_zone, w.period_start, w.period_end,
      coalesce(q.policy, p.policy) as policy,
      coalesce(q.version, 0) as policy_version, c.reduced_configs || coalesce(p.policy -> 'reduced_configs', '{}') as reduced_configs,
      coalesce(s.enforcement_mode, c.mode) as mode, w.manual_act,
      case when q.sets_limit then q.max_tokens
        else nullif(coalesce(tollgate.stored_limit(o.librechat_config), tollgate.stored_limit(p.librechat_config)),
          'unlimited')::bigint end as base_limit_tokens
    from tollgate.directory_organizations o
    -- One row, which the planner does not know.
    cross join (select c.mode, c.reduced_configs from tollgate.enforcement_control c limit 1) c
    left join tollgate.organization_settings s on s.organization_id = o.organization_id
    left join tollgate.period_schedules h
      on h.organization_id = o.organization_id and h.valid_from <= at and at < h.valid_to
    left join tollgate.enforcement_overrides v on v.organization_id = o.organization_id
    -- Worked out once: without `offset` they would stand wherever they are read, and be worked out at each place.
    cross join lateral (
      select tollgate.scheduled_start(at, h) as period_start, tollgate.scheduled_end(at, h) as period_end,
        case when v.organization_id is null or v.until <= at then null
          else jsonb_build_object('act', v.act, 'until', v.until, 'used_tokens', v.used_tokens::text,
            'cost_usd', v.cost_usd::text, 'actor', v.actor, 'decision_id', v.decision_id) end as manual_act
      offset 0) w
    left join tollgate.quota_policies q on q.organization_id = o.organization_id
    left join tollgate.plans p on p.plan_type = o.plan_type
  ) i
  cross join lateral tollgate.granted_tokens(i.organization_id, i.period_start, at) g
$$;

-- The same at present.
create view tollgate.quota_inputs with (security_invoker = true) as select * from tollgate.quota_inputs_at(now());

grant execute on function tollgate.granted_tokens, tollgate.quota_inputs_at
  to tollgate_token_api, tollgate_quota_enforcer, service_role;
grant select on tollgate.quota_inputs to tollgate_token_api, tollgate_quota_enforcer, service_role;
