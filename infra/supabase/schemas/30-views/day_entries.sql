-- What a day consists of: the entries of the ledger, and the closing figures of those that are gone. Any rollup by day is
-- the plain sum of these. Read with the caller's rights.
create view tollgate.day_entries with (security_invoker = true) as
  select e.organization_id, e.usage_date as date, e.model, e.user_id, e.input_tokens, e.output_tokens,
    e.cache_read_input_tokens, e.cache_creation_input_tokens, e.reasoning_output_tokens, e.total_tokens, e.cost_usd,
    e.charge_usd, e.message_count::bigint, e.event_count::bigint, e.unpriced_events::bigint
  from tollgate.usage_events e
  union all
  select s.organization_id, s.date, s.model, s.user_id, s.input_tokens, s.output_tokens,
    s.cache_read_input_tokens, s.cache_creation_input_tokens, s.reasoning_output_tokens, s.total_tokens, s.cost_usd,
    s.charge_usd, s.message_count, s.event_count, s.unpriced_events
  from tollgate.sealed_days s;

grant select on tollgate.day_entries to tollgate_usage_worker, service_role;
