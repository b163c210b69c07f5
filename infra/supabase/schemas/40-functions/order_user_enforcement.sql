-- Purpose: put on record what somebody orders for one user by hand; the enforcer puts it into force.
-- Parameters: enforcement_order = as for order_enforcement, with user_id.
-- Returns: no row where the user does not belong to the organization, else one: decision_id, until, refusal (as order_enforcement).
-- Locks: the override row, then the limit's. Invariant: as order_enforcement. It bears on the user alone: the organization's own
--   state holds beside it. A row of user_quotas that is new stays due as that of a first limit does.
create function public.order_user_enforcement(enforcement_order jsonb) returns table (
  decision_id uuid, until timestamptz, refusal text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  held record;
begin
  select o.*, coalesce(o.at, now()) as ordered_at into asked from jsonb_to_record(tollgate.unwrap(enforcement_order)) as o (
    organization_id uuid, user_id uuid, action text, until timestamptz, reason text, actor text, at timestamptz,
    decision_id uuid);
  if tollgate.membership_fault(asked.organization_id, asked.user_id, true) is not null then return; end if;
  select i.period_end, m.used_tokens, m.cost_usd, case when q.is_own then q.max_tokens else f.max_tokens end as limit_tokens,
    tollgate.state_at(s.state, s.lapses, s.period_end, asked.ordered_at) as state, coalesce(s.version, 0) as version
  into held
  from tollgate.quota_inputs_at(asked.ordered_at) i
  left join tollgate.user_quotas q on q.organization_id = i.organization_id and q.user_id = asked.user_id
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = asked.user_id
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where r.organization_id = i.organization_id and r.user_id = asked.user_id
      and r.date >= (i.period_start at time zone i.time_zone)::date and r.date < (i.period_end at time zone i.time_zone)::date) m
  where i.organization_id = asked.organization_id;
  -- Not of an order that is on record: it was in time, and its repetition may be late.
  if asked.until <= asked.ordered_at
    and not exists (select from tollgate.quota_decisions d where d.id = asked.decision_id) then
    refusal := 'over';
    return next;
    return;
  end if;
  until := case when asked.action = 'restore' then coalesce(asked.until, held.period_end) else asked.until end;

  insert into tollgate.quota_decisions (
    id, organization_id, user_id, kind, decided_at, from_state, to_state, version, reason, actor, inputs)
  values (coalesce(asked.decision_id, gen_random_uuid()), asked.organization_id, asked.user_id, 'act', asked.ordered_at, held.state, held.state, held.version,
    'ordered_' || asked.action, asked.actor, jsonb_build_object('action', asked.action, 'reason', asked.reason, 'until', until,
      'used_tokens', held.used_tokens::text, 'limit_tokens', held.limit_tokens::text, 'cost_usd', held.cost_usd::text))
  on conflict (id) do nothing
  returning id into decision_id;
  if decision_id is null then
    return query select d.id, (d.inputs ->> 'until')::timestamptz, null from tollgate.quota_decisions d
      where d.id = asked.decision_id and d.organization_id = asked.organization_id and d.user_id = asked.user_id;
    return;
  end if;
  if asked.action = 'clear' then
    delete from tollgate.user_enforcement_overrides v
    where v.organization_id = asked.organization_id and v.user_id = asked.user_id;
  else
    insert into tollgate.user_enforcement_overrides as v (
      organization_id, user_id, act, until, used_tokens, cost_usd, actor, reason, decision_id, created_at)
    values (asked.organization_id, asked.user_id, asked.action, until, held.used_tokens, held.cost_usd, asked.actor,
      asked.reason, decision_id, asked.ordered_at)
    on conflict (organization_id, user_id) do update set
      act = excluded.act, until = excluded.until, used_tokens = excluded.used_tokens, cost_usd = excluded.cost_usd,
      actor = excluded.actor, reason = excluded.reason, decision_id = excluded.decision_id, created_at = excluded.created_at;
  end if;
  -- The enforcer looks at whoever has a row that is due.
  insert into tollgate.user_quotas as q (organization_id, user_id, is_own, is_settled, version, updated_by)
  values (asked.organization_id, asked.user_id, false, false, 0, asked.actor)
  on conflict (organization_id, user_id) do update set changes = q.changes + 1;
  perform tollgate.record_audit(asked.actor, 'enforcement.ordered', 'user:' || asked.user_id,
    jsonb_build_object('action', asked.action, 'until', until, 'reason', asked.reason, 'decision_id', decision_id),
    asked.organization_id);
  return next;
end
$$;

revoke execute on function public.order_user_enforcement from public, anon, authenticated;
grant execute on function public.order_user_enforcement to tollgate_token_api, service_role;
