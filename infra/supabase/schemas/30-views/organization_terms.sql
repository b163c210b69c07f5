-- Markups that an organization could have, the first rank wins: its own (1), its plan's (2). A view, as the next, because it
-- becomes part of the query that asks for many organizations, where a function would be started for each.
create view tollgate.markups with (security_invoker = true) as
  select s.organization_id, s.markup_percent, 1 as rank
  from tollgate.organization_settings s where s.markup_percent is not null
  union all
  select o.organization_id, p.markup_percent, 2
  from tollgate.directory_organizations o join tollgate.plans p on p.plan_type = o.plan_type
  where p.markup_percent is not null;

-- When organizations were revoked. The last open time ends with its period where it lapses then, whether or not anybody
-- has decided by then, and has no end otherwise. One that was put into force after its period was over is empty.
create view tollgate.revocations with (security_invoker = true) as
  select d.organization_id, tstzrange(d.decided_at, case when o.over_at is not null then greatest(o.over_at, d.decided_at) end) as revoked
  from tollgate.quota_decisions d
  cross join lateral (
    select coalesce((
      select coalesce(n.effective_at, n.decided_at) from tollgate.quota_decisions n
      where n.organization_id = d.organization_id and n.decided_at > d.decided_at and n.to_state <> 'revoked'
        and n.user_id is null and n.kind = 'change'
      order by n.decided_at, n.seq limit 1), (
      select s.period_end from tollgate.enforcement_states s
      where s.organization_id = d.organization_id and s.lapses)) as over_at) o
  where d.to_state = 'revoked' and d.user_id is null and d.kind = 'change';
