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
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  q tollgate.usage_report_query := tollgate.read_report_query(query);
begin
  if (q).by_token_kind then
    return query
      select r.bucket, r.model, r.user_id, v.user_name, k.kind, k.tokens::text, null::text, null::text, null::text, null::text,
        null::text, null::text, null::text, r.message_count::text, r.event_count::text, r.unpriced_events::text
      from tollgate.sum_usage(q) r
      left join tollgate.visible_members((q).organization_id) v on v.user_id = r.user_id
      cross join lateral (values
        ('input', r.input_tokens - r.cache_read_input_tokens - r.cache_creation_input_tokens),
        ('cache_read_input', r.cache_read_input_tokens), ('cache_creation_input', r.cache_creation_input_tokens),
        ('output', r.output_tokens - r.reasoning_output_tokens), ('reasoning_output', r.reasoning_output_tokens)
      ) k (kind, tokens)
      where k.tokens <> 0
      order by r.bucket, k.kind, r.model, v.user_name, r.user_id;
    return;
  end if;
  return query
    select r.bucket, r.model, r.user_id, v.user_name, null::text, (r.input_tokens + r.output_tokens)::text,
      r.input_tokens::text, r.output_tokens::text, r.cache_read_input_tokens::text, r.cache_creation_input_tokens::text,
      r.reasoning_output_tokens::text,
      case when r.unpriced_events < r.event_count or r.event_count = 0 then r.cost_usd::text end,
      case when r.unpriced_events < r.event_count or r.event_count = 0 then r.charge_usd::text end,
      r.message_count::text, r.event_count::text, r.unpriced_events::text
    from tollgate.sum_usage(q) r
    left join tollgate.visible_members((q).organization_id) v on v.user_id = r.user_id
    where (r.input_tokens, r.output_tokens, r.event_count, r.message_count, r.cost_usd) is distinct from (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::numeric)
    order by r.bucket, r.input_tokens + r.output_tokens desc, r.model, v.user_name, r.user_id;
end
$$;

revoke execute on function public.report_usage from public, anon;
grant execute on function public.report_usage to authenticated, service_role, tollgate_token_api;
