-- Purpose: put a decision into force, if the state is still the one it was made from.
-- Parameters: decision = { organization_id, expected_revision (text, null: no state yet), state, reason, actor,
--   period_start, period_end, due_at (null: time alone changes nothing before the period ends), lapses (true: what is taken away
--   is until period_end alone), reduced_config (null: nothing reduced), observed (null: nothing withheld), reached,
--   base_limit_tokens, inputs_key, evaluate_at, evaluate_below, evaluate_at_usd, evaluate_below_usd (text, null: never),
--   inputs (what it was decided from), at (absent: the database's present) }.
-- Returns: one row: applied (false: somebody was quicker, load again), changed (a new decision is on record),
--   again (usage passed the outlook meanwhile: evaluate again), and the state that now holds.
-- Locks: the enforcement state, then the period total. Invariant: versions and revisions only rise; version rises exactly
--   when what issued tokens say is stale; every change of state has its decision,
--   and what people are told of it stands in the outbox of webhooks.
create function public.apply_enforcement(decision jsonb)
returns table (
  applied boolean, changed boolean, again boolean, organization_id uuid, state text, version text, revision text,
  reason text, decision_id uuid, period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  wanted record;
  held tollgate.enforcement_states;
  control tollgate.enforcement_control;
  made tollgate.quota_decisions;
  is_over boolean; -- what was taken away had lapsed before this was decided
begin
  select d.*, coalesce(d.at, now()) as decided_at into wanted from jsonb_to_record(tollgate.unwrap(decision)) as d (
    organization_id uuid, expected_revision bigint, state text, reason text, actor text, period_start timestamptz,
    period_end timestamptz, due_at timestamptz, lapses boolean, reduced_config jsonb, observed jsonb, reached jsonb,
    base_limit_tokens bigint, inputs_key text, evaluate_at bigint, evaluate_below bigint, evaluate_at_usd numeric, evaluate_below_usd numeric,
    inputs jsonb, at timestamptz);
  -- JSON's null is no SQL null in a jsonb column.
  wanted.reduced_config := nullif(wanted.reduced_config, 'null');
  wanted.observed := nullif(wanted.observed, 'null');
  select c.* into control from tollgate.enforcement_control c;

  select * into held from tollgate.enforcement_states s where s.organization_id = wanted.organization_id for update;
  if held.organization_id is null and wanted.expected_revision is null then
    insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
    values (wanted.organization_id, 'active', control.version_floor, wanted.period_start, wanted.period_end, wanted.inputs_key)
    on conflict do nothing
    returning * into held;
    applied := held.organization_id is not null;
  else
    applied := held.revision is not distinct from wanted.expected_revision;
  end if;
  changed := false;
  again := not applied;

  if applied then
    if held.period_start < wanted.period_start then
      -- Also of periods that began and ended while nobody decided, where something was used.
      perform tollgate.notify_period(held.organization_id, e.period_start, e.period_end)
      from (
        select held.period_start, held.period_end
        union
        select p.period_start, p.period_end
        from tollgate.period_totals t cross join lateral tollgate.organization_period(t.organization_id, t.period_start) p
        where t.organization_id = held.organization_id and t.period_start > held.period_start
          and t.period_start < wanted.period_start) e
      order by e.period_start;
    end if;
    is_over := wanted.period_start > held.period_start
      and tollgate.is_lapsed(held.lapses, held.period_end, wanted.decided_at);
    if is_over and wanted.state in ('downgraded', 'revoked') then
      held.told_under := tollgate.told_under(held.told_under, wanted.inputs_key);
      held.version := tollgate.end_lapsed(wanted.organization_id, null, held.state, held.version, held.period_end,
        wanted.decided_at, wanted.actor, wanted.inputs, held.told_under);
      held.state := 'active'; held.reduced_config := null; held.observed := null; held.reason := null;
      is_over := false;
    end if;
    -- A higher step of the same state is a change too: it has a reason of its own.
    changed := held.state <> wanted.state or held.reduced_config is distinct from wanted.reduced_config
      or held.observed is distinct from wanted.observed
      or (wanted.state <> 'active' and held.reason is distinct from wanted.reason);
    if changed then
      held.version := held.version + case when (held.state = 'revoked') <> (wanted.state = 'revoked')
        or held.reduced_config is distinct from wanted.reduced_config then 1 else 0 end;
      insert into tollgate.quota_decisions (
        organization_id, decided_at, effective_at, from_state, to_state, version, reason, observed, actor, inputs)
      values (wanted.organization_id, wanted.decided_at, case when is_over then held.period_end end, held.state, wanted.state,
        held.version, wanted.reason, wanted.observed, wanted.actor, wanted.inputs)
      returning * into made;
      held.decision_id := made.id;
      held.decided_at := wanted.decided_at;
      held.told_under := tollgate.told_under(held.told_under, wanted.inputs_key);
      perform tollgate.notify_decision(made, held.told_under);
    end if;
    if changed or held.period_end <> wanted.period_end or held.inputs_key <> wanted.inputs_key then
      held.revision := nextval('tollgate.enforcement_revision');
    end if;
    update tollgate.enforcement_states s set
      state = wanted.state, version = held.version, revision = held.revision, reason = wanted.reason,
      decision_id = held.decision_id, period_start = wanted.period_start, period_end = wanted.period_end,
      due_at = coalesce(wanted.due_at, 'infinity'), lapses = coalesce(wanted.lapses, false),
      reduced_config = wanted.reduced_config, observed = wanted.observed,
      reached = coalesce(wanted.reached, '{}'), base_limit_tokens = wanted.base_limit_tokens, inputs_key = wanted.inputs_key,
      told_under = held.told_under, decided_at = held.decided_at
    where s.organization_id = wanted.organization_id
    returning s.* into held;
    insert into tollgate.period_totals as t (
      organization_id, period_start, evaluate_at, evaluate_below, evaluate_at_usd, evaluate_below_usd)
    values (wanted.organization_id, wanted.period_start, wanted.evaluate_at, wanted.evaluate_below, wanted.evaluate_at_usd,
      wanted.evaluate_below_usd)
    on conflict (organization_id, period_start) do update set
      evaluate_at = excluded.evaluate_at, evaluate_below = excluded.evaluate_below,
      evaluate_at_usd = excluded.evaluate_at_usd, evaluate_below_usd = excluded.evaluate_below_usd
    returning t.is_due into again;
  end if;

  organization_id := wanted.organization_id; state := held.state; version := held.version::text;
  revision := held.revision::text; reason := held.reason; decision_id := held.decision_id;
  period_end := held.period_end; lapses := held.lapses; reduced_config := held.reduced_config; epoch := control.epoch::text;
  return next;
end
$$;

revoke execute on function public.apply_enforcement from public, anon, authenticated;
grant execute on function public.apply_enforcement to tollgate_quota_enforcer, service_role;
