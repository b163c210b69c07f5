-- Purpose: give usage that was there before Tollgate an entry in the ledger: what rows of usage_metrics came with, whatever
--   events have added to them since. Parameters: for_organization, for_date. Returns: whether there was any note: rows are
--   locked then and were written, also where all of it had been posted before.
-- Locks: identities (of these entries alone), then as repair_day; then the period's total.
-- Invariant: once for a row: its note goes with the posting, and it has an identity (source tollgate, id
--   opening-balance:<user>:<date>). Figures are taken as they are; what tokens_used has beyond output is posted as input.
--   Never priced again.
create function tollgate.post_opening_balances(for_organization uuid, for_date date) returns boolean
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  period record;
  noon timestamptz;
begin
  if not exists (
      select from tollgate.preexisting_usage p where p.organization_id = for_organization and p.date = for_date) then
    return false;
  end if;
  select p.* into period
  from tollgate.organization_period(for_organization, (for_date + time '12:00') at time zone 'UTC') p;
  noon := (for_date + time '12:00') at time zone period.time_zone;
  with noted as (
    delete from tollgate.preexisting_usage p where p.organization_id = for_organization and p.date = for_date
    returning p.*, 'opening-balance:' || p.user_id || ':' || p.date as event_id
  ), before as materialized (
    select n.*, tollgate.identity_digest('tollgate', n.event_id) as digest from noted n
  ), claimed as (
    insert into tollgate.usage_event_identities (organization_id, digest, counts_digest, imported)
    select b.organization_id, b.digest, b.digest, true
    from before b
    order by b.digest
    on conflict do nothing
    returning digest
  )
  insert into tollgate.usage_events (
    organization_id, digest, source, event_id, time, received_at, user_id, session_id, model, entry, imported,
    input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens,
    total_tokens, message_count, event_count, unpriced_events, usage_date, period_start, cost_usd, charge_usd)
  select b.organization_id, c.digest, 'tollgate', b.event_id, noon, now(), b.user_id, 'opening-balance', 'opening-balance',
    'opening_balance', true, b.tokens_used - b.output_tokens, b.output_tokens, 0, 0, 0, b.tokens_used, b.message_count,
    0, b.unpriced_events, b.date, period.period_start, b.cost_usd, b.charge_usd
  from before b
  join claimed c on c.digest = b.digest;
  perform tollgate.repair_day(for_organization, for_date);
  perform tollgate.repair_period(for_organization, period.period_start);
  return true;
end
$$;

grant execute on function tollgate.post_opening_balances to tollgate_usage_worker, service_role;
