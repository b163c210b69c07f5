-- Purpose: put on record that what a decision took away was over with its period, where somebody is stopped again before
--   anybody had decided in the new one: between the two they had access. Parameters: organization, member (null: the
--   organization itself), from_state and held_version (as they stood), over_at (the period's end), and of the decision that follows
--   decided_at, actor, inputs, told_under.
-- Returns: the version after it. Called by whoever puts the decision into force, with the state locked.
create function tollgate.end_lapsed(
  organization uuid, member uuid, from_state text, held_version bigint, over_at timestamptz, decided_at timestamptz, actor text,
  inputs jsonb, told_under text) returns bigint
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  made tollgate.quota_decisions;
begin
  insert into tollgate.quota_decisions (
    organization_id, user_id, decided_at, effective_at, from_state, to_state, version, reason, actor, inputs)
  values (organization, member, decided_at, over_at, from_state, 'active', held_version + 1, 'period_over', actor, inputs)
  returning * into made;
  perform tollgate.notify_decision(made, told_under);
  return made.version;
end
$$;

grant execute on function tollgate.end_lapsed to tollgate_quota_enforcer, service_role;
