-- Purpose: close an organization's period: freeze its statement. Parameters: request = { organization_id, at (any instant of
--   the period), closed_by }.
-- Returns: one row: outcome (closed, already_closed, not_over, no_usage) and the statement's figures as text.
-- Locks: a share of the books; the periods, against ingestion under way, for as long as the total is proved and frozen; then
--   total and statement.
-- Invariant: the statement is the period's total, proved by the ledger right before, and never changes.
create function public.close_period(request jsonb)
returns table (outcome text, organization_id uuid, period_start timestamptz, period_end timestamptz, used_tokens text,
  cost_usd text, charge_usd text, event_count text, unpriced_events text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  period record;
begin
  select r.* into asked from jsonb_to_record(tollgate.unwrap(request)) as r (
    organization_id uuid, at timestamptz, closed_by text);
  select p.* into period from tollgate.organization_period(asked.organization_id, asked.at) p;
  -- A minute's grace: a transaction that began before the end takes the period for the present one, which is never closed.
  if period.period_end > now() - interval '1 minute' then
    outcome := 'not_over';
  elsif exists (select from tollgate.period_statements s
      where s.organization_id = asked.organization_id and s.period_start = period.period_start) then
    outcome := 'already_closed';
  elsif not exists (select from tollgate.period_totals t
      where t.organization_id = asked.organization_id and t.period_start = period.period_start) then
    outcome := 'no_usage';
  else
    outcome := 'closed';
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.books')); -- no month is sealed between the looks at it
    perform pg_advisory_xact_lock(hashtext('tollgate.periods')); -- before any row, as ingest_usage
    perform tollgate.check_slice('periods', asked.organization_id, period.period_start::text, true);
    insert into tollgate.period_statements (organization_id, period_start, period_end, time_zone, closed_by, used_tokens,
      cost_usd, charge_usd, event_count, unpriced_events)
    select t.organization_id, t.period_start, period.period_end, period.time_zone, asked.closed_by, t.used_tokens,
      t.cost_usd, t.charge_usd, t.event_count, t.unpriced_events
    from tollgate.period_totals t
    where t.organization_id = asked.organization_id and t.period_start = period.period_start
    on conflict do nothing;
    perform tollgate.record_audit(asked.closed_by, 'period.closed', 'organization:' || asked.organization_id,
      jsonb_build_object('period_start', period.period_start));
  end if;
  return query
    select outcome, asked.organization_id, period.period_start, period.period_end, s.used_tokens::text, s.cost_usd::text,
      s.charge_usd::text, s.event_count::text,
      (s.unpriced_events + tollgate.newly_priced(s.organization_id, s.period_start))::text
    from (select 1) one
    left join tollgate.period_statements s
      on s.organization_id = asked.organization_id and s.period_start = period.period_start;
end
$$;

-- Purpose: write the lines of closed statements that lack them: what the period consists of, by model.
-- Parameters: for_organization. Returns: one row: completed (statements).
-- Locks: a share of the books, so that no month is sealed between the look into ledger and closing figures; the statements.
-- Invariant: a closed period gains no entries any more, and a sealed one keeps its sums, so that this may be done at any
--   time after the freeze; the lines add up to the statement.
create function public.complete_statements(for_organization uuid) returns table (completed integer)
language sql volatile security invoker set search_path = ''
as $$
  select pg_advisory_xact_lock_shared(hashtext('tollgate.books'));
  with written as (
    update tollgate.period_statements s set lines = coalesce((
      select jsonb_agg(jsonb_build_object('model', l.model, 'total_tokens', l.total_tokens::text,
        'input_tokens', l.input_tokens::text, 'output_tokens', l.output_tokens::text, 'cost_usd', l.cost_usd::text,
        'charge_usd', l.charge_usd::text, 'event_count', l.event_count::text,
        'unpriced_events', l.unpriced_events::text) order by l.model)
      from tollgate.fold_period_models(s.organization_id, s.period_start) l), '[]')
    where s.organization_id = for_organization and s.lines is null
    returning s.period_start
  )
  select count(*)::integer from written
$$;

-- Purpose: statements of closed periods. Parameters: for_organization (null: all). Returns: a row each, newest first.
create function public.list_statements(for_organization uuid default null)
returns table (organization_id uuid, period_start timestamptz, period_end timestamptz, time_zone text,
  closed_at timestamptz, closed_by text, used_tokens text, cost_usd text, charge_usd text, event_count text,
  unpriced_events text, lines jsonb)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, s.period_start, s.period_end, s.time_zone, s.closed_at, s.closed_by, s.used_tokens::text,
    s.cost_usd::text, s.charge_usd::text, s.event_count::text, s.unpriced_events::text, s.lines
  from tollgate.period_statements s
  where for_organization is null or s.organization_id = for_organization
  order by s.period_start desc, s.organization_id
$$;

revoke execute on function public.close_period, public.complete_statements, public.list_statements
  from public, anon, authenticated;
grant execute on function public.close_period, public.complete_statements, public.list_statements to service_role;
