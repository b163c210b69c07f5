-- Purpose: go on safely after Postgres was restored to an earlier point: revisions and versions that were given out since
--   then would be given out again, and what they once said would be believed. A new epoch lets both rise above them.
-- Parameters: seen = { epoch (what Postgres says it is; another one: somebody was quicker), seen_epoch, seen_revision (the
--   highest that anybody has seen), actor, reason }.
-- Returns: one row: begun, epoch. Access tokens of earlier epochs are superseded.
-- Locks: the control row, then all enforcement states in the order of their keys. Invariant: epochs, revisions and versions
--   only rise.
create function public.begin_epoch(seen jsonb) returns table (begun boolean, epoch text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(seen);
  held tollgate.enforcement_control;
  next_version bigint := extract(epoch from clock_timestamp())::bigint; -- versions rise by one a change: never this far
begin
  select * into held from tollgate.enforcement_control c for update;
  begun := held.epoch = (asked ->> 'epoch')::bigint;
  if begun then
    perform setval('tollgate.enforcement_revision', greatest(
      (select q.last_value from tollgate.enforcement_revision q), (asked ->> 'seen_revision')::bigint) + 1000);
    insert into tollgate.quota_decisions (kind, from_state, to_state, version, reason, actor, inputs)
    values ('act', 'epoch ' || held.epoch, 'new epoch', greatest(next_version, held.version_floor + 1), asked ->> 'reason',
      asked ->> 'actor', asked)
    returning id into held.decision_id;
    update tollgate.enforcement_control c set
      epoch = greatest(held.epoch, (asked ->> 'seen_epoch')::bigint) + 1,
      version_floor = greatest(next_version, held.version_floor + 1), decision_id = held.decision_id, changed_at = now(),
      revision = nextval('tollgate.enforcement_revision')
    returning c.* into held;
    perform from tollgate.enforcement_states s order by s.organization_id for update;
    update tollgate.enforcement_states s set
      version = greatest(s.version + 1, held.version_floor), revision = nextval('tollgate.enforcement_revision');
    perform from tollgate.user_enforcement_states u order by u.organization_id, u.user_id for update;
    update tollgate.user_enforcement_states u set
      version = u.version + 1, revision = nextval('tollgate.enforcement_revision');
  end if;
  epoch := held.epoch::text;
  return next;
end
$$;

revoke execute on function public.begin_epoch from public, anon, authenticated;
grant execute on function public.begin_epoch to tollgate_quota_enforcer, service_role;
