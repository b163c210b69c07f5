-- Purpose: compare one slice of the books with the ledger and, where asked, put it right.
-- Parameters: stage (days, months, sessions, periods), for_organization, at (day, the month's first, or the period's start;
--   of sessions see check_sessions, as for carried), repair.
-- Returns: drift: jsonb array of { rollup, organization_id, at, user_id?, model?, session_id?, tokens_off, cost_off } (text
--   amounts: what the rollup had too little), at most a thousand; changed: rows are locked and were written.
-- Locks: only where something is off, is to be folded or was there before Tollgate: see check_month, repair_day,
--   post_opening_balances, repair_sessions, repair_period; each at most once, since whoever has a period's total must not ask
--   for a day's rows again.
create function tollgate.check_slice(
  stage text, for_organization uuid, at text, repair boolean, carried jsonb default null,
  out drift jsonb, out changed boolean, out next_at text, out next_carried jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if stage = 'sessions' then
    select c.drift, c.next_at, c.next_carried into drift, next_at, next_carried
    from tollgate.check_sessions(for_organization, at, carried, repair) c;
    select coalesce(jsonb_agg(d || jsonb_build_object('rollup', 'chat_sessions', 'organization_id', for_organization,
      'at', split_part(at, '>', 1), 'tokens_off', d ->> 'tokens_off', 'cost_off', d ->> 'cost_off')), '[]')
    into drift from jsonb_array_elements(drift) d;
    changed := repair and drift <> '[]';
    return;
  end if;
  if stage = 'months' then
    select c.drift, c.changed into drift, changed from tollgate.check_month(for_organization, at::date, repair) c;
    return;
  end if;
  select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(d)) || jsonb_build_object(
    'organization_id', for_organization, 'at', at, 'tokens_off', d.tokens_off::text, 'cost_off', d.cost_off::text)), '[]')
  into drift
  from (
    select d.rollup, d.user_id, d.model, d.session_id, d.tokens_off, d.cost_off
    from tollgate.find_day_drift(for_organization, case when stage = 'days' then at::date end) d where stage = 'days'
    union all
    select 'period_totals', null, null, null, p.tokens_off, p.cost_off
    from tollgate.find_period_drift(for_organization, case when stage = 'periods' then at::timestamptz end) p
    where stage = 'periods'
    limit 1000
  ) d;
  changed := false;
  if repair and stage = 'days' then -- what was there before Tollgate is no drift; posting it repairs the day as well
    changed := tollgate.post_opening_balances(for_organization, at::date);
  end if;
  if repair and drift <> '[]' and not changed then
    changed := true;
    case stage
      when 'days' then perform tollgate.repair_day(for_organization, at::date);
      when 'periods' then perform tollgate.repair_period(for_organization, at::timestamptz);
    end case;
  end if;
end
$$;

grant execute on function tollgate.check_slice to tollgate_usage_worker, service_role;
