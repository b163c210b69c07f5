-- Purpose: what the quota of every user with a limit is decided from at an instant, usage included.
-- Parameters: at. Returns: a row a user that has or had a limit; usage is that of the period's days.
-- Reads only, with the caller's rights; without `set`, so that it is inlined.
create function tollgate.user_inputs_at(at timestamptz)
returns table (
  organization_id uuid, user_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, from_date date,
  to_date date, limit_tokens bigint, policy jsonb, policy_version bigint, reduced_configs jsonb, mode text, used_tokens bigint,
  cost_usd numeric, is_due boolean, inputs_key text)
language sql stable parallel safe
as $$
  select u.organization_id, u.user_id, i.time_zone, i.period_start, i.period_end, d.from_date, d.to_date, u.max_tokens, u.policy,
    u.version, i.reduced_configs, i.mode, m.used_tokens, m.cost_usd,
    coalesce(m.used_tokens >= u.evaluate_at, false) or coalesce(m.used_tokens < u.evaluate_below, false)
      or coalesce(m.cost_usd >= u.evaluate_at_usd, false) or coalesce(m.cost_usd < u.evaluate_below_usd, false),
    md5(concat_ws('|', extract(epoch from i.period_end), i.time_zone, u.version, i.reduced_configs, i.mode))
  from tollgate.user_quotas u
  join tollgate.quota_inputs_at(at) i on i.organization_id = u.organization_id
  cross join lateral (
    select (i.period_start at time zone i.time_zone)::date as from_date, (i.period_end at time zone i.time_zone)::date as to_date) d
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where r.organization_id = u.organization_id and r.user_id = u.user_id and r.date >= d.from_date and r.date < d.to_date) m
$$;

grant execute on function tollgate.user_inputs_at to tollgate_token_api, tollgate_quota_enforcer, service_role;
