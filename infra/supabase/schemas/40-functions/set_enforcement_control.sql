-- Purpose: pause or resume all refusals for enforcement states, or set how installations decide (enforce, observe).
-- Parameters: change = { paused?, mode?, actor, reason }. Returns: one row as load_enforcement_control, and changed.
-- Locks: the control row. Invariant: each change is on record as a decision of the whole installation, and in the audit
--   trail; what changes nothing leaves no trace.
create function public.set_enforcement_control(change jsonb)
returns table (
  changed boolean, paused boolean, mode text, epoch text, version_floor text, revision text, decision_id uuid)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  held tollgate.enforcement_control;
  wanted_paused boolean;
  wanted_mode text;
begin
  select * into held from tollgate.enforcement_control c for update;
  wanted_paused := coalesce((asked ->> 'paused')::boolean, held.paused);
  wanted_mode := coalesce(asked ->> 'mode', held.mode);
  changed := wanted_paused <> held.paused or wanted_mode <> held.mode;
  if changed then
    insert into tollgate.quota_decisions (kind, from_state, to_state, version, reason, actor, inputs)
    values ('act', concat_ws(', ', held.mode, case when held.paused then 'paused' end),
      concat_ws(', ', wanted_mode, case when wanted_paused then 'paused' end), held.version_floor,
      coalesce(asked ->> 'reason', 'settings'), asked ->> 'actor', asked)
    returning id into held.decision_id;
    update tollgate.enforcement_control c set
      paused = wanted_paused, mode = wanted_mode, decision_id = held.decision_id, changed_at = now(),
      revision = nextval('tollgate.enforcement_revision')
    returning c.* into held;
    perform tollgate.record_audit(asked ->> 'actor', 'enforcement.controlled', 'installation:tollgate',
      jsonb_build_object('paused', wanted_paused, 'mode', wanted_mode, 'reason', asked -> 'reason', 'decision_id', held.decision_id));
  end if;
  paused := held.paused; mode := held.mode; epoch := held.epoch::text; version_floor := held.version_floor::text;
  revision := held.revision::text; decision_id := held.decision_id;
  return next;
end
$$;

revoke execute on function public.set_enforcement_control from public, anon, authenticated;
grant execute on function public.set_enforcement_control to tollgate_quota_enforcer, service_role;
