-- Purpose: put on record what somebody orders for an organization by hand; the enforcer puts it into force.
-- Parameters: enforcement_order = { organization_id, action (revoke, downgrade, exempt, restore, clear), until? (absent:
--   until it is taken back; restore holds until the period ends), reason, actor, at? (default: the database's present),
--   decision_id? (of the order: repeated with it, the order changes nothing) }.
-- Returns: no row for an unknown organization, else one: decision_id, until, refusal (over: `until` has passed; null: it is on record).
-- Locks: the override row. Invariant: every order is a decision with its actor and reason; the latest replaces the one before.
create function public.order_enforcement(enforcement_order jsonb) returns table (
  decision_id uuid, until timestamptz, refusal text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  held record;
begin
  select o.*, coalesce(o.at, now()) as ordered_at into asked from jsonb_to_record(tollgate.unwrap(enforcement_order)) as o (
    organization_id uuid, action text, until timestamptz, reason text, actor text, at timestamptz,
    decision_id uuid);
  select i.period_end, coalesce(t.used_tokens, 0) as used_tokens, coalesce(t.cost_usd, 0) as cost_usd, i.limit_tokens,
    i.policy_version, tollgate.state_at(s.state, s.lapses, s.period_end, asked.ordered_at) as state,
    coalesce(s.version, 0) as version
  into held
  from tollgate.quota_inputs_at(asked.ordered_at) i
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  where i.organization_id = asked.organization_id;
  if not found then return; end if;
  -- Not of an order that is on record: it was in time, and its repetition may be late.
  if asked.until <= asked.ordered_at
    and not exists (select from tollgate.quota_decisions d where d.id = asked.decision_id) then
    refusal := 'over';
    return next;
    return;
  end if;
  until := case when asked.action = 'restore' then coalesce(asked.until, held.period_end) else asked.until end;

  insert into tollgate.quota_decisions (id, organization_id, kind, decided_at, from_state, to_state, version, reason, actor, inputs)
  values (coalesce(asked.decision_id, gen_random_uuid()), asked.organization_id, 'act', asked.ordered_at, held.state, held.state, held.version, 'ordered_' || asked.action,
    asked.actor, jsonb_build_object('action', asked.action, 'reason', asked.reason, 'until', until,
      'used_tokens', held.used_tokens::text, 'limit_tokens', held.limit_tokens::text, 'cost_usd', held.cost_usd::text,
      'policy_version', held.policy_version::text))
  on conflict (id) do nothing
  returning id into decision_id;
  if decision_id is null then
    return query select d.id, (d.inputs ->> 'until')::timestamptz, null from tollgate.quota_decisions d
      where d.id = asked.decision_id and d.organization_id = asked.organization_id;
    return;
  end if;
  if asked.action = 'clear' then
    delete from tollgate.enforcement_overrides v where v.organization_id = asked.organization_id;
  else
    insert into tollgate.enforcement_overrides as v (
      organization_id, act, until, used_tokens, cost_usd, actor, reason, decision_id, created_at)
    values (asked.organization_id, asked.action, until, held.used_tokens, held.cost_usd, asked.actor, asked.reason, decision_id,
      asked.ordered_at)
    on conflict (organization_id) do update set
      act = excluded.act, until = excluded.until, used_tokens = excluded.used_tokens, cost_usd = excluded.cost_usd,
      actor = excluded.actor, reason = excluded.reason, decision_id = excluded.decision_id, created_at = excluded.created_at;
  end if;
  perform tollgate.record_audit(asked.actor, 'enforcement.ordered', 'organization:' || asked.organization_id,
    jsonb_build_object('action', asked.action, 'until', until, 'reason', asked.reason, 'decision_id', decision_id));
  return next;
end
$$;

revoke execute on function public.order_enforcement from public, anon, authenticated;
grant execute on function public.order_enforcement to tollgate_token_api, service_role;
