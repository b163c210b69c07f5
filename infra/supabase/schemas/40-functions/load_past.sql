-- Purpose: what bore on an organization's quota beside its usage, for a simulation. Parameters: query = { organization_id, from, to
--   (instants) }. Returns: one row: past = { mode (present), periods (boundaries, the first at or before `from`, the last after
--   `to`), grants (with what they had left at `from`, in the order in which they were given), acts (ordered by hand up to `to`, of the organization and of
--   users, oldest first), users (present limits of their own), user_default (null: none) }; amounts are text. Reads only.
create function public.load_past(query jsonb) returns table (past jsonb)
language sql stable security invoker set search_path = ''
as $$
  with recursive asked as (
    select * from jsonb_to_record(tollgate.unwrap(query)) as q (organization_id uuid, "from" timestamptz, "to" timestamptz)
  ), period as (
    select p.period_start, p.period_end from asked a
    cross join lateral tollgate.organization_period(a.organization_id, a."from") p
    union all
    select n.period_start, n.period_end from period p cross join asked a
    cross join lateral tollgate.organization_period(a.organization_id, p.period_end) n
    where p.period_end <= a."to"
  )
  select jsonb_build_object(
    'mode', (select coalesce(s.enforcement_mode, c.mode) from tollgate.enforcement_control c
      left join tollgate.organization_settings s on s.organization_id = a.organization_id),
    'periods', (select jsonb_agg(b.at order by b.at) from (
      select p.period_start as at from period p union select max(p.period_end) from period p) b),
    'grants', (select coalesce(jsonb_agg(jsonb_build_object('amount', l.amount::text, 'priority', g.priority,
        'at', g.created_at, 'expires_at', g.expires_at, 'voided_at', g.voided_at) order by g.created_at, g.id), '[]')
      from tollgate.grants g
      cross join lateral (
        select g.amount_tokens - coalesce(sum(s.spent_tokens), 0) as amount from tollgate.grant_spending s
        where s.grant_id = g.id and s.period_start < (select min(p.period_start) from period p)) l
      where g.organization_id = a.organization_id and l.amount > 0),
    'acts', (select coalesce(jsonb_agg(jsonb_build_object('user_id', d.user_id, 'at', d.decided_at, 'until', d.inputs -> 'until',
        'action', d.inputs ->> 'action') order by d.seq), '[]')
      from tollgate.quota_decisions d
      where d.organization_id = a.organization_id and d.kind = 'act' and d.inputs ? 'action' and d.decided_at <= a."to"),
    'users', (select coalesce(jsonb_agg(jsonb_build_object('user_id', u.user_id, 'limit', u.max_tokens::text, 'policy', u.policy)
        order by u.user_id), '[]')
      from tollgate.user_quotas u where u.organization_id = a.organization_id and u.is_own),
    'user_default', (select jsonb_build_object('limit', f.max_tokens::text, 'policy', f.policy)
      from tollgate.user_quota_defaults f where f.organization_id = a.organization_id and f.is_limiting))
  from asked a
$$;

revoke execute on function public.load_past from public, anon, authenticated;
grant execute on function public.load_past to service_role;
