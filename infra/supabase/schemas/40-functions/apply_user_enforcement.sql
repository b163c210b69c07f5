-- Purpose: put the decision on one user into force, if the state is still the one it was made from.
-- Parameters: decision = as for apply_enforcement, with user_id, from_date and to_date (the period's days), shared_key and
--   seen_changes (from load_user_positions), without base_limit_tokens.
-- Returns: one row: applied, changed, waits (the user stays due until those have ended who were recording usage when its row
--   came), and the state that now holds.
-- Locks: the user's enforcement state, then its limit. Invariant: as apply_enforcement; what has changed since it was decided
--   leaves the user due.
create function public.apply_user_enforcement(decision jsonb)
returns table (
  applied boolean, changed boolean, waits boolean, organization_id uuid, user_id uuid, state text, version text, revision text, reason text,
  decision_id uuid, period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  wanted record;
  held tollgate.user_enforcement_states;
  made tollgate.quota_decisions;
  outlook tollgate.user_quotas;
  is_over boolean;
  was_settled boolean;
  again boolean; -- there is more than this was decided from
begin
  select d.*, coalesce(d.at, now()) as decided_at into wanted from jsonb_to_record(tollgate.unwrap(decision)) as d (
    organization_id uuid, user_id uuid, expected_revision bigint, state text, reason text, actor text, period_start timestamptz,
    period_end timestamptz, due_at timestamptz, lapses boolean, reduced_config jsonb, observed jsonb, reached jsonb,
    inputs_key text,
    evaluate_at bigint, evaluate_below bigint, evaluate_at_usd numeric, evaluate_below_usd numeric, from_date date,
    to_date date, shared_key text, seen_changes bigint, inputs jsonb, at timestamptz);
  wanted.reduced_config := nullif(wanted.reduced_config, 'null');
  wanted.observed := nullif(wanted.observed, 'null');

  select * into held from tollgate.user_enforcement_states s
  where s.organization_id = wanted.organization_id and s.user_id = wanted.user_id for update;
  if held.user_id is null and wanted.expected_revision is null then
    insert into tollgate.user_enforcement_states (organization_id, user_id, state, period_start, period_end, inputs_key)
    values (wanted.organization_id, wanted.user_id, 'active', wanted.period_start, wanted.period_end, wanted.inputs_key)
    on conflict do nothing
    returning * into held;
    applied := held.user_id is not null;
  else
    applied := held.revision is not distinct from wanted.expected_revision;
  end if;
  changed := false;
  waits := false;

  if applied then
    is_over := wanted.period_start > held.period_start
      and tollgate.is_lapsed(held.lapses, held.period_end, wanted.decided_at);
    if is_over and wanted.state in ('downgraded', 'revoked') then
      held.told_under := tollgate.told_under(held.told_under, wanted.inputs_key);
      held.version := tollgate.end_lapsed(wanted.organization_id, wanted.user_id, held.state, held.version, held.period_end,
        wanted.decided_at, wanted.actor, wanted.inputs, held.told_under);
      held.state := 'active'; held.reduced_config := null; held.observed := null; held.reason := null;
      is_over := false;
    end if;
    changed := held.state <> wanted.state or held.reduced_config is distinct from wanted.reduced_config
      or held.observed is distinct from wanted.observed
      or (wanted.state <> 'active' and held.reason is distinct from wanted.reason);
    if changed then
      held.version := held.version + case when (held.state = 'revoked') <> (wanted.state = 'revoked')
        or held.reduced_config is distinct from wanted.reduced_config then 1 else 0 end;
      insert into tollgate.quota_decisions (
        organization_id, user_id, decided_at, effective_at, from_state, to_state, version, reason, observed, actor, inputs)
      values (wanted.organization_id, wanted.user_id, wanted.decided_at, case when is_over then held.period_end end, held.state,
        wanted.state, held.version, wanted.reason, wanted.observed, wanted.actor, wanted.inputs)
      returning * into made;
      held.decision_id := made.id;
      held.decided_at := wanted.decided_at;
      held.told_under := tollgate.told_under(held.told_under, wanted.inputs_key);
      perform tollgate.notify_decision(made, held.told_under);
    end if;
    if changed or held.period_end <> wanted.period_end or held.inputs_key <> wanted.inputs_key then
      held.revision := nextval('tollgate.enforcement_revision');
    end if;
    update tollgate.user_enforcement_states s set
      state = wanted.state, version = held.version, revision = held.revision, reason = wanted.reason,
      decision_id = held.decision_id, period_start = wanted.period_start, period_end = wanted.period_end,
      due_at = coalesce(wanted.due_at, 'infinity'), lapses = coalesce(wanted.lapses, false),
      reduced_config = wanted.reduced_config, observed = wanted.observed,
      reached = coalesce(wanted.reached, '{}'), inputs_key = wanted.inputs_key, shared_key = wanted.shared_key,
      told_under = held.told_under, decided_at = held.decided_at
    where s.organization_id = wanted.organization_id and s.user_id = wanted.user_id
    returning s.* into held;
    -- Who falls under a default gets a row for the outlook. Version 0, as without a row: inputs_key goes on to agree.
    insert into tollgate.user_quotas as u (organization_id, user_id, is_own, version, updated_by, from_date, to_date, evaluate_at,
      evaluate_below, evaluate_at_usd, evaluate_below_usd, seen_changes)
    values (wanted.organization_id, wanted.user_id, false, 0, wanted.actor, wanted.from_date, wanted.to_date, wanted.evaluate_at,
      wanted.evaluate_below, wanted.evaluate_at_usd, wanted.evaluate_below_usd, wanted.seen_changes)
    on conflict (organization_id, user_id) do update set
      from_date = excluded.from_date, to_date = excluded.to_date, evaluate_at = excluded.evaluate_at,
      evaluate_below = excluded.evaluate_below, evaluate_at_usd = excluded.evaluate_at_usd,
      evaluate_below_usd = excluded.evaluate_below_usd, seen_changes = excluded.seen_changes
    returning u.* into outlook;
    -- Usage that was judged by the outlook before: it is committed by now, since the row is locked; where the row is new, once
    -- those have ended who were recording and had not seen it. What has committed by then is summed below.
    was_settled := outlook.is_settled;
    if not was_settled then
      outlook.waits_for := tollgate.still_recording(outlook.waits_for);
      outlook.is_settled := outlook.waits_for = '{}';
    end if;
    again := not outlook.is_settled or tollgate.is_beyond_outlook(outlook);
    waits := not outlook.is_settled;
    if again or not was_settled then
      update tollgate.user_quotas u
      set changes = u.changes + again::integer, is_settled = outlook.is_settled, waits_for = outlook.waits_for
      where u.organization_id = wanted.organization_id and u.user_id = wanted.user_id;
    end if;
  end if;

  organization_id := wanted.organization_id; user_id := wanted.user_id; state := held.state; version := held.version::text;
  revision := held.revision::text; reason := held.reason; decision_id := held.decision_id; period_end := held.period_end;
  lapses := held.lapses; reduced_config := held.reduced_config; epoch := (select c.epoch::text from tollgate.enforcement_control c);
  return next;
end
$$;

revoke execute on function public.apply_user_enforcement from public, anon, authenticated;
grant execute on function public.apply_user_enforcement to tollgate_quota_enforcer, service_role;
