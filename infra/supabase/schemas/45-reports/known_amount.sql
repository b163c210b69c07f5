-- Purpose: an amount of money as reports show it. Parameters: amount; cost_usd, event_count and unpriced_events of the same
--   sums. Returns: null where nothing of them has a price.
create function tollgate.known_amount(amount numeric, cost_usd numeric, event_count numeric, unpriced_events numeric)
returns numeric
language sql immutable parallel safe
return case when unpriced_events <> event_count or event_count = 0 or cost_usd <> 0 then amount end;

grant execute on function tollgate.known_amount to service_role;
