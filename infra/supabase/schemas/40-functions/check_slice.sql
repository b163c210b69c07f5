-- Purpose: compare one slice of the books with the ledger and, where asked, put it right.
-- Parameters: stage (days, sessions, periods), for_organization, at (day, or the period's start), repair.
-- Returns: jsonb array of { rollup, organization_id, at, user_id?, model?, session_id?, tokens_off, cost_off } (text amounts:
--   what the rollup had too little), at most a thousand.
-- Locks: only where something is off: see repair_day, repair_sessions, repair_period.
create function tollgate.check_slice(stage text, for_organization uuid, at text, repair boolean) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  found jsonb;
begin
  if stage = 'days' and repair then
    perform tollgate.post_opening_balances(for_organization, at::date);
  end if;
  select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(d)) || jsonb_build_object(
    'organization_id', for_organization, 'at', at, 'tokens_off', d.tokens_off::text, 'cost_off', d.cost_off::text)), '[]')
  into found
  from (
    select d.rollup, d.user_id, d.model, d.session_id, d.tokens_off, d.cost_off
    from tollgate.find_day_drift(for_organization, case when stage = 'days' then at::date end) d where stage = 'days'
    union all
    select 'chat_sessions', s.user_id, null, s.session_id, s.tokens_off, s.cost_off
    from tollgate.find_session_drift(for_organization, case when stage = 'sessions' then at::date end) s
    where stage = 'sessions'
    union all
    select 'period_totals', null, null, null, p.tokens_off, p.cost_off
    from tollgate.find_period_drift(for_organization, case when stage = 'periods' then at::timestamptz end) p
    where stage = 'periods'
    limit 1000
  ) d;
  if repair and found <> '[]' then
    case stage
      when 'days' then
        perform tollgate.repair_day(for_organization, at::date);
        perform tollgate.add_missing_rows(for_organization, at::date);
      when 'sessions' then perform tollgate.repair_sessions(for_organization, at::date);
      when 'periods' then perform tollgate.repair_period(for_organization, at::timestamptz);
    end case;
  end if;
  return found;
end
$$;

grant execute on function tollgate.check_slice to tollgate_usage_worker, service_role;
