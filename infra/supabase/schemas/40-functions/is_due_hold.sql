-- Purpose: whether an open hold's lease has run out. Parameters: state, expires_at. Returns: boolean.
-- Invariant: a hold whose usage is on disk (committing) outlives its lease. Only when the usage has not been recorded for a
--   day, because its inbox row became a dead letter, the hold is given back: replayed, it counts as a late settlement.
create function tollgate.is_due_hold(state text, expires_at timestamptz) returns boolean
language sql stable parallel safe
return expires_at <= now() - case state when 'held' then interval '0' when 'committing' then interval '1 day' end;

grant execute on function tollgate.is_due_hold
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
