-- Purpose: report_usage for the token API, a page at a time. Parameters: query as of report_usage, and viewer_user_id (who
--   asks and sees the own usage alone; null: sees the whole organization), max_rows, after? (cursor of the last row of the
--   page before). Returns: as report_usage, by bucket, model, user and kind; cursor = these four as a JSON array.
-- Invariant: the caller has settled who asks; each viewer gets the rows that row level security shows to that user in
--   report_usage. Runs with the rights of the token API, which sees all rows.
create function public.list_usage(query jsonb)
returns table (
  bucket text, model text, user_id uuid, user_name text, token_kind text, tokens_used text, input_tokens text,
  output_tokens text, cache_read_input_tokens text, cache_creation_input_tokens text, reasoning_output_tokens text,
  cost_usd text, charge_usd text, message_count text, event_count text, unpriced_events text, cursor text)
language plpgsql stable security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  q tollgate.usage_report_query := tollgate.read_report_query(query);
  viewer uuid := (asked ->> 'viewer_user_id')::uuid;
  seen jsonb := (asked ->> 'after')::jsonb;
begin
  if viewer is not null and q.user_id is distinct from viewer then
    if q.user_id is not null then return; end if;
    q.user_id := viewer;
  end if;
  return query
    select r.bucket, r.model, r.user_id, coalesce(nullif(m.full_name, ''), m.email), r.token_kind, r.tokens_used,
      r.input_tokens, r.output_tokens, r.cache_read_input_tokens, r.cache_creation_input_tokens, r.reasoning_output_tokens,
      r.cost_usd, r.charge_usd, r.message_count, r.event_count, r.unpriced_events,
      jsonb_build_array(r.bucket, r.model, r.user_id, r.token_kind)::text
    from tollgate.dress_usage(q, viewer is null) r
    left join tollgate.directory_members m on m.user_id = r.user_id and m.organization_id = q.organization_id
    cross join lateral (values (coalesce(r.bucket, '') collate "C", coalesce(r.model, '') collate "C",
      coalesce(r.user_id::text, '') collate "C", coalesce(r.token_kind, '') collate "C")) k (bucket, model, who, kind)
    where seen is null or (k.bucket, k.model, k.who, k.kind)
      > (coalesce(seen ->> 0, ''), coalesce(seen ->> 1, ''), coalesce(seen ->> 2, ''), coalesce(seen ->> 3, ''))
    order by k.bucket, k.model, k.who, k.kind
    limit (asked ->> 'max_rows')::integer;
end
$$;

revoke execute on function public.list_usage from public, anon, authenticated;
grant execute on function public.list_usage to tollgate_token_api, service_role;
