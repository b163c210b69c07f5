-- Purpose: whether what a decision took away is over with its period, though nobody has decided anew: the one place where
--   SQL says so. Parameters: lapses and period_end of the enforcement state (null: nobody ever decided), at.
-- Returns: boolean. Reads nothing; without `set`, so that it is inlined. The gate says the same of its copy.
create function tollgate.is_lapsed(lapses boolean, period_end timestamptz, at timestamptz default now()) returns boolean
language sql immutable parallel safe
return coalesce(lapses and period_end <= at, false);

-- Purpose: where somebody stands at an instant. Parameters: state (null: nobody ever decided), and as is_lapsed.
-- Returns: the state, active where it has lapsed. Reads nothing; without `set`, so that it is inlined.
create function tollgate.state_at(state text, lapses boolean, period_end timestamptz, at timestamptz default now()) returns text
language sql immutable parallel safe
return case when tollgate.is_lapsed(lapses, period_end, at) then 'active' else coalesce(state, 'active') end;

grant execute on function tollgate.is_lapsed, tollgate.state_at
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
