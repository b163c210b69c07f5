-- Purpose: read the ledger page by page, for an export. Parameters: page = { from, to (days, both included),
--   after? (the last row's cursor), max_rows }.
-- Returns: rows by organization, day, digest and entry: the entry as jsonb (bigint and numeric as text) and its cursor.
--   Reads only.
-- Invariant: one page is one organization's day at most, so that a page is a range of an index, sorted.
create function public.export_ledger(page jsonb) returns table (line jsonb, here jsonb)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select p.* into asked from jsonb_to_record(tollgate.unwrap(page)) as p (
    organization_id uuid, date date, after jsonb, max_rows integer);
  return query
    select jsonb_build_object('organization_id', e.organization_id, 'usage_date', e.usage_date, 'time', e.time,
      'entry', e.entry, 'source', e.source, 'event_id', e.event_id, 'revision', e.revision, 'user_id', e.user_id,
      'session_id', e.session_id, 'message_id', e.message_id, 'provider', e.provider, 'model', e.model,
      'input_tokens', e.input_tokens::text, 'output_tokens', e.output_tokens::text,
      'cache_read_input_tokens', e.cache_read_input_tokens::text,
      'cache_creation_input_tokens', e.cache_creation_input_tokens::text,
      'reasoning_output_tokens', e.reasoning_output_tokens::text, 'total_tokens', e.total_tokens::text,
      'message_count', e.message_count, 'event_count', e.event_count, 'cost_usd', e.cost_usd::text,
      'charge_usd', e.charge_usd::text, 'price_id', e.price_id::text, 'period_start', e.period_start,
      'original_period_start', e.original_period_start, 'imported', e.imported, 'after_revocation', e.after_revocation,
      'received_at', e.received_at, 'recorded_at', e.recorded_at),
      jsonb_build_array(encode(e.digest, 'hex'), e.entry, e.revision, e.recorded_at)
    from tollgate.usage_events e
    where e.organization_id = asked.organization_id and e.usage_date = asked.date
      and (asked.after is null or (encode(e.digest, 'hex'), e.entry, e.revision, e.recorded_at) > (
        asked.after ->> 0, asked.after ->> 1, (asked.after ->> 2)::integer, (asked.after ->> 3)::timestamptz))
    order by encode(e.digest, 'hex'), e.entry, e.revision, e.recorded_at
    limit asked.max_rows;
end
$$;

-- Purpose: read the rollup by organization, day, model and user, for an export. Parameters: page = { organization_id, date }.
-- Returns: its rows as jsonb (bigint and numeric as text). Reads only.
create function public.export_rollups(page jsonb) returns table (line jsonb)
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object('organization_id', m.organization_id, 'date', m.date, 'model', m.model, 'user_id', m.user_id,
    'input_tokens', m.input_tokens::text, 'output_tokens', m.output_tokens::text,
    'cache_read_input_tokens', m.cache_read_input_tokens::text,
    'cache_creation_input_tokens', m.cache_creation_input_tokens::text,
    'reasoning_output_tokens', m.reasoning_output_tokens::text, 'total_tokens', m.total_tokens::text,
    'cost_usd', m.cost_usd::text, 'charge_usd', m.charge_usd::text, 'message_count', m.message_count::text,
    'event_count', m.event_count::text, 'unpriced_events', m.unpriced_events::text)
  from jsonb_to_record(tollgate.unwrap(page)) as p (organization_id uuid, date date)
  join tollgate.usage_by_model m on m.organization_id = p.organization_id and m.date = p.date
  order by m.model, m.user_id
$$;

-- Purpose: the days that an export goes through. Parameters: from_date, to_date (both included), only_organization (null:
--   all). Returns: a row an organization and day with usage. Reads only.
create function public.list_usage_days(from_date date, to_date date, only_organization uuid default null)
returns table (organization_id uuid, date date)
language sql stable security invoker set search_path = ''
as $$
  select distinct m.organization_id, m.date from tollgate.usage_by_model m
  where m.date between from_date and to_date and (only_organization is null or m.organization_id = only_organization)
  order by m.organization_id, m.date
$$;

revoke execute on function public.export_ledger, public.export_rollups, public.list_usage_days
  from public, anon, authenticated;
grant execute on function public.export_ledger, public.export_rollups, public.list_usage_days to service_role;
