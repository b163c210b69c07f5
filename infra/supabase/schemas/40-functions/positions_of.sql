-- Purpose: where some organizations stand in their current period. Parameters: organizations.
-- Returns: a row for each one known: limit_tokens (null: unlimited), used_tokens (the total of the ledger), reserved_tokens
--   (open holds, see open_reserved), evaluate_at (the total at which a decision could change next; null: none),
--   session_max_tokens (limit of each chat session; null: none), is_lenient (nothing is refused: observed, exempt or paused).
-- Reads only. Invariant: holds count in the period that is, whenever they were made.
create function tollgate.positions_of(organizations uuid[])
returns table (
  organization_id uuid, limit_tokens bigint, used_tokens bigint, reserved_tokens bigint, period_start timestamptz,
  period_end timestamptz, evaluate_at bigint, session_max_tokens bigint, is_lenient boolean)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, i.limit_tokens, coalesce(t.used_tokens, 0),
    coalesce(h.reserved_tokens, 0) - coalesce((
      select sum(r.total_tokens) from tollgate.reservations r
      where r.organization_id = i.organization_id and r.state in ('held', 'committing')
        and r.expires_at <= now() and tollgate.is_due_hold(r.state, r.expires_at)), 0)::bigint,
    i.period_start, i.period_end, t.evaluate_at, (i.policy ->> 'session_max_tokens')::bigint,
    i.mode = 'observe' or coalesce(i.manual_act ->> 'act' = 'exempt', false)
      or exists (select from tollgate.enforcement_control c where c.paused)
  from tollgate.quota_inputs i
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.reserved_totals h on h.organization_id = i.organization_id
  where i.organization_id = any(organizations)
$$;

grant execute on function tollgate.positions_of to tollgate_token_api, tollgate_quota_enforcer, service_role;
