-- Purpose: what the quota of users is decided from at an instant, usage included.
-- Parameters: at. Returns: a row a user that has or had a limit of its own or was acted upon by hand; where the organization has
--   a default for its users, also each that used something in the period, and each member where the default is 0;
--   limit_tokens null = unlimited; policy_version rises with the own limit and with the default; usage is that of the period's
--   days; manual_act null = none.
-- Reads only, with the caller's rights; without `set`, so that it is inlined.
create function tollgate.user_inputs_at(at timestamptz)
returns table (
  organization_id uuid, user_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, from_date date,
  to_date date, limit_tokens bigint, policy jsonb, policy_version bigint, reduced_configs jsonb, mode text, manual_act jsonb,
  used_tokens bigint, cost_usd numeric, is_due boolean, inputs_key text)
language sql stable parallel safe
as $$
  select i.organization_id, u.user_id, i.time_zone, i.period_start, i.period_end, d.from_date, d.to_date,
    case when u.is_own then u.max_tokens else f.max_tokens end, coalesce(u.policy, f.policy),
    u.version + coalesce(f.version, 0), i.reduced_configs, i.mode,
    case when v.user_id is not null then jsonb_build_object('act', v.act, 'until', v.until, 'used_tokens', v.used_tokens::text,
      'cost_usd', v.cost_usd::text, 'actor', v.actor, 'decision_id', v.decision_id) end,
    m.used_tokens, m.cost_usd,
    coalesce(m.used_tokens >= u.evaluate_at, false) or coalesce(m.used_tokens < u.evaluate_below, false)
      or coalesce(m.cost_usd >= u.evaluate_at_usd, false) or coalesce(m.cost_usd < u.evaluate_below_usd, false),
    md5(concat_ws('|', extract(epoch from i.period_end), i.time_zone, u.version, i.reduced_configs, i.mode,
      'default ' || f.version, v.decision_id))
  from (
    select q.organization_id from tollgate.user_quotas q union select e.organization_id from tollgate.user_quota_defaults e
    where e.is_limiting) o
  join tollgate.quota_inputs_at(at) i on i.organization_id = o.organization_id
  cross join lateral (
    select (i.period_start at time zone i.time_zone)::date as from_date, (i.period_end at time zone i.time_zone)::date as to_date) d
  left join tollgate.user_quota_defaults f on f.organization_id = o.organization_id
  cross join lateral (
    select q.user_id, q.is_own, q.max_tokens, q.policy, q.version, q.evaluate_at, q.evaluate_below, q.evaluate_at_usd,
      q.evaluate_below_usd
    from tollgate.user_quotas q where q.organization_id = o.organization_id
    union all
    -- Who falls under the default and was not looked at yet.
    select n.user_id, false, null, null, 0, 0, null, null, null
    from (
      select distinct r.user_id from public.usage_metrics r
      where f.is_limiting and r.organization_id = o.organization_id and r.date >= d.from_date and r.date < d.to_date
      union
      select b.user_id from tollgate.directory_members b where f.max_tokens = 0 and b.organization_id = o.organization_id) n
    where not exists (
      select from tollgate.user_quotas q where q.organization_id = o.organization_id and q.user_id = n.user_id)) u
  left join tollgate.user_enforcement_overrides v
    on v.organization_id = o.organization_id and v.user_id = u.user_id and (v.until is null or v.until > at)
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where r.organization_id = o.organization_id and r.user_id = u.user_id and r.date >= d.from_date and r.date < d.to_date) m
$$;

grant execute on function tollgate.user_inputs_at to tollgate_token_api, tollgate_quota_enforcer, service_role;
