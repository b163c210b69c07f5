-- Purpose: what the ledger says of one event: its first entry, and the sum of all. Parameters: of_organization, of_digest,
--   counted_at: when its identity was claimed.
-- Returns: no row when it never counted, else one: original (the usage entry); revision (the highest that was applied) and
--   the sums that hold. Reads only.
-- Invariant: what holds of an event is the sum of its entries, re-rates included.
create function tollgate.standing_entries(of_organization uuid, of_digest bytea, counted_at timestamptz)
returns table (
  original tollgate.usage_events, revision integer, input_tokens bigint, output_tokens bigint,
  cache_read_input_tokens bigint, cache_creation_input_tokens bigint, reasoning_output_tokens bigint,
  total_tokens bigint, message_count bigint, event_count bigint, unpriced_events bigint, cost_usd numeric,
  charge_usd numeric)
language sql stable security invoker set search_path = ''
as $$
  with first as materialized (
    -- By the time of recording alone: an index of the organization would lead through its whole history.
    select l as entry from tollgate.usage_events l
    where l.recorded_at = counted_at and l.digest = of_digest and l.entry = 'usage'
      and l.organization_id is not distinct from of_organization
  ), all_of_it as (
    select (f.entry).* from first f
    union all
    select l.* from tollgate.usage_events l
    where l.organization_id = of_organization and l.digest = of_digest and l.entry <> 'usage'
  )
  select (select f.entry from first f), max(a.revision), sum(a.input_tokens), sum(a.output_tokens),
    sum(a.cache_read_input_tokens), sum(a.cache_creation_input_tokens), sum(a.reasoning_output_tokens),
    sum(a.total_tokens), sum(a.message_count), sum(a.event_count), sum(a.unpriced_events), sum(a.cost_usd),
    sum(a.charge_usd)
  from all_of_it a
  having count(*) > 0
$$;

grant execute on function tollgate.standing_entries to tollgate_usage_worker, service_role;
