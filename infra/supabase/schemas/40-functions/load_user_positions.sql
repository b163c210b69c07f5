-- Purpose: all that decisions on the users of an organization need whose limit must be looked at, a page at a time.
-- Parameters: for_organization, at (default: the database's present), max_rows, after (the cursor of the last row of the page
--   before; null: from the first). Returns: a row a user, in the order of the cursors; fewer than max_rows: these are the last. As
--   load_quota_position; limit and ladder are the user's own, else those of the organization's default for users; policy_version
--   rises with either; usage is that of the period's days; changes: what apply_user_enforcement takes as seen_changes.
-- Reads only.
create function public.load_user_positions(
  for_organization uuid, at timestamptz default now(), max_rows integer default 500, after text default null)
returns table (
  organization_id uuid, user_id uuid, period_start timestamptz, period_end timestamptz, limit_tokens text, policy jsonb,
  policy_version text, reduced_configs jsonb, mode text, manual_act jsonb, inputs_key text, shared_key text, changes text,
  used_tokens text, reserved_tokens text, cost_usd text, counted_at timestamptz, state text, version text, revision text,
  reached jsonb, from_date text, to_date text, as_of timestamptz,
  cursor text)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, d.user_id, i.period_start, i.period_end,
    case when q.is_own then q.max_tokens else f.max_tokens end::text, coalesce(q.policy, f.policy),
    (coalesce(q.version, 0) + coalesce(f.version, 0))::text, i.reduced_configs, i.mode, a.manual_act,
    tollgate.user_inputs_key(i.period_end, q.version, k.shared_key, a.manual_act ->> 'decision_id'),
    k.shared_key, (coalesce(q.version, 0) + coalesce(q.changes, 0))::text, m.used_tokens::text,
    e.reserved_tokens::text, m.cost_usd::text, m.counted_at, tollgate.state_at(s.state, s.lapses, s.period_end, at),
    coalesce(s.version, 0)::text, s.revision::text,
    case when s.period_start >= i.period_start then s.reached else '{}' end, b.from_date::text, b.to_date::text, at, d.cursor
  from tollgate.quota_inputs_at(at) i
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  cross join lateral (
    select tollgate.shared_user_key(i.time_zone, i.reduced_configs, i.mode, f.version) as shared_key) k
  cross join lateral (
    select (i.period_start at time zone i.time_zone)::date as from_date, (i.period_end at time zone i.time_zone)::date as to_date) b
  cross join lateral tollgate.list_due_users(i.organization_id, k.shared_key, at, after, max_rows)
    with ordinality d (user_id, cursor, place)
  left join tollgate.user_quotas q on q.organization_id = i.organization_id and q.user_id = d.user_id
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = d.user_id
  left join tollgate.user_enforcement_overrides v
    on v.organization_id = i.organization_id and v.user_id = d.user_id and (v.until is null or v.until > at)
  cross join lateral (
    select case when v.user_id is not null then jsonb_build_object('act', v.act, 'until', v.until, 'used_tokens',
      v.used_tokens::text, 'cost_usd', v.cost_usd::text, 'actor', v.actor, 'decision_id', v.decision_id) end as manual_act) a
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd,
      max(r.updated_at) as counted_at
    from public.usage_metrics r
    where r.organization_id = i.organization_id and r.user_id = d.user_id and r.date >= b.from_date and r.date < b.to_date) m
  cross join lateral (
    select coalesce(sum(h.total_tokens), 0) as reserved_tokens from tollgate.reservations h
    where h.organization_id = i.organization_id and h.user_id = d.user_id and h.state in ('held', 'committing')
      and not tollgate.is_due_hold(h.state, h.expires_at)) e
  where i.organization_id = for_organization
  order by d.place
$$;

revoke execute on function public.load_user_positions from public, anon, authenticated;
grant execute on function public.load_user_positions to tollgate_quota_enforcer, service_role;
