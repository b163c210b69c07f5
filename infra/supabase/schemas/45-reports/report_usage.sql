-- Purpose: usage of an organization by time, model, user and kind of LLM token, as dashboards show it.
-- Parameters: query = { organization_id, start, end (ISO days of the organization, end exclusive), bucket: hour | day |
--   month | total, group_by: [model | user | token_kind], user_id?, model? }.
-- Returns: a row a bucket and group that has usage; counts as text; cost and charge null where nothing of the row is
--   priced, or where the row is one kind of LLM token, which has no cost of its own; sub-counts null where the report does
--   not know them. Invariant: reads rollups, never the ledger (bucket hour alone does). Row level security decides what
--   the caller sees.
create function public.report_usage(query jsonb)
returns table (
  bucket text, model text, user_id uuid, user_name text, token_kind text, tokens_used text, input_tokens text,
  output_tokens text, cache_read_input_tokens text, cache_creation_input_tokens text, reasoning_output_tokens text,
  cost_usd text, charge_usd text, message_count text, event_count text, unpriced_events text)
language plpgsql stable security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  q tollgate.usage_report_query := tollgate.read_report_query(query);
  is_whole boolean := tollgate.may_read_organization((q).organization_id);
begin
  -- Whoever sees the own usage alone asks for it: the policy would come to the same after looking at everybody's.
  if not is_whole then q.user_id := coalesce(q.user_id, auth.uid()); end if;
  return query
    select r.bucket, r.model, r.user_id, v.user_name, r.token_kind, r.tokens_used, r.input_tokens, r.output_tokens,
      r.cache_read_input_tokens, r.cache_creation_input_tokens, r.reasoning_output_tokens, r.cost_usd, r.charge_usd,
      r.message_count, r.event_count, r.unpriced_events
    from tollgate.dress_usage(q, is_whole) r
    left join tollgate.visible_members(case when (q).by_user then (q).organization_id end) v on v.user_id = r.user_id
    order by r.bucket collate "C", r.token_kind collate "C", r.tokens_used::bigint desc, r.model collate "C", v.user_name,
      r.user_id;
end
$$;

revoke execute on function public.report_usage from public, anon;
grant execute on function public.report_usage to authenticated, service_role;

-- Purpose: report_usage as one value, for callers whose API cuts answers off after so many rows (PostgREST's max_rows, 1,000 on
--   Supabase): a report is whole or fails, and never a part that looks like it. Parameters: as report_usage.
-- Returns: its rows as a jsonb array, in its order. Row level security decides what the caller sees.
create function public.report_usage_whole(query jsonb) returns jsonb
language sql stable security invoker set search_path = '' set jit = off
as $$
  select coalesce(jsonb_agg(r.row order by r.ordinality), '[]')
  from (select to_jsonb(u) - 'ordinality' as row, u.ordinality from public.report_usage(query) with ordinality u) r
$$;

revoke execute on function public.report_usage_whole from public, anon;
grant execute on function public.report_usage_whole to authenticated, service_role;
