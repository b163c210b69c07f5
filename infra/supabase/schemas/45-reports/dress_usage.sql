-- Purpose: the rows of a usage report, without the users' names. Parameters: q (checked); is_whole as of sum_usage.
-- Returns: a row a bucket and group that has usage; counts as text; cost and charge null where nothing of the row is priced,
--   or where the row is one kind of LLM token, which has no cost of its own; sub-counts null where the report does not know
--   them. Runs with the caller's rights.
create function tollgate.dress_usage(q tollgate.usage_report_query, is_whole boolean)
returns table (
  bucket text, model text, user_id uuid, token_kind text, tokens_used text, input_tokens text, output_tokens text,
  cache_read_input_tokens text, cache_creation_input_tokens text, reasoning_output_tokens text, cost_usd text,
  charge_usd text, message_count text, event_count text, unpriced_events text)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  if (q).by_token_kind then
    return query
      select r.bucket, r.model, r.user_id, k.kind, k.tokens::text, null::text, null::text, null::text, null::text, null::text,
        null::text, null::text, r.message_count::text, r.event_count::text, r.unpriced_events::text
      from tollgate.sum_usage(q, is_whole) r
      cross join lateral (values
        ('input', r.input_tokens - r.cache_read_input_tokens - r.cache_creation_input_tokens),
        ('cache_read_input', r.cache_read_input_tokens), ('cache_creation_input', r.cache_creation_input_tokens),
        ('output', r.output_tokens - r.reasoning_output_tokens), ('reasoning_output', r.reasoning_output_tokens)
      ) k (kind, tokens)
      where k.tokens <> 0;
    return;
  end if;
  return query
    select r.bucket, r.model, r.user_id, null::text, (r.input_tokens + r.output_tokens)::text, r.input_tokens::text,
      r.output_tokens::text, r.cache_read_input_tokens::text, r.cache_creation_input_tokens::text,
      r.reasoning_output_tokens::text,
      case when r.unpriced_events < r.event_count or r.event_count = 0 then r.cost_usd::text end,
      case when r.unpriced_events < r.event_count or r.event_count = 0 then r.charge_usd::text end,
      r.message_count::text, r.event_count::text, r.unpriced_events::text
    from tollgate.sum_usage(q, is_whole) r
    where (r.input_tokens, r.output_tokens, r.event_count, r.message_count, r.cost_usd)
      is distinct from (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::numeric);
end
$$;

grant execute on function tollgate.dress_usage to authenticated, service_role, tollgate_token_api;
