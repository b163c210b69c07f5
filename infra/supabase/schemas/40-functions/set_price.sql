-- Purpose: set an operator's price of a model, which wins over the seeded one. Parameters: price = { provider, model,
--   valid_from? (null: always), valid_to?, min_input_tokens?, input, output, cache_read?, cache_creation?, reasoning? }: US
--   dollars per million LLM tokens as text.
-- Returns: one row: id (as text). Locks: the price. Invariant: the same provider, model, start and tier again replaces the
--   row under a new id: entries that were priced by the old one keep pointing to nothing else.
create function public.set_price(price jsonb) returns table (id text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select p.provider, p.model, coalesce(p.valid_from, '-infinity') as valid_from, coalesce(p.valid_to, 'infinity') as valid_to,
    coalesce(p.min_input_tokens, 0) as min_input_tokens, p.input, p.output, p.cache_read, p.cache_creation, p.reasoning
  into asked
  from jsonb_to_record(tollgate.unwrap(price)) as p (provider text, model text, valid_from timestamptz,
    valid_to timestamptz, min_input_tokens bigint, input numeric, output numeric, cache_read numeric,
    cache_creation numeric, reasoning numeric);
  delete from tollgate.model_prices m
  where m.provider = asked.provider and m.model = asked.model and m.origin = 'operator'
    and m.valid_from = asked.valid_from and m.min_input_tokens = asked.min_input_tokens;
  insert into tollgate.model_prices (provider, model, origin, valid_from, valid_to, min_input_tokens, input_usd_per_mtok,
    output_usd_per_mtok, cache_read_usd_per_mtok, cache_creation_usd_per_mtok, reasoning_usd_per_mtok)
  values (asked.provider, asked.model, 'operator', asked.valid_from, asked.valid_to, asked.min_input_tokens, asked.input,
    asked.output, asked.cache_read, asked.cache_creation, asked.reasoning)
  returning model_prices.id::text into id;
  perform tollgate.record_audit('cli', 'price.set', 'model:' || asked.model, tollgate.unwrap(price));
  return next;
end
$$;

-- Purpose: show prices. Parameters: search (part of a model's name; null: operator's prices alone). Returns: a row a price.
create function public.list_prices(search text default null)
returns table (provider text, model text, origin text, valid_from text, valid_to text, min_input_tokens text, input text,
  output text, cache_read text, cache_creation text, reasoning text)
language sql stable security invoker set search_path = ''
as $$
  select p.provider, p.model, p.origin, p.valid_from::text, p.valid_to::text, p.min_input_tokens::text,
    p.input_usd_per_mtok::text, p.output_usd_per_mtok::text, p.cache_read_usd_per_mtok::text,
    p.cache_creation_usd_per_mtok::text, p.reasoning_usd_per_mtok::text
  from tollgate.model_prices p
  where case when search is null then p.origin = 'operator' else strpos(p.model, search) > 0 end
  order by p.provider, p.model, p.origin desc, p.valid_from, p.min_input_tokens
  limit 1000
$$;

revoke execute on function public.set_price, public.list_prices from public, anon, authenticated;
grant execute on function public.set_price, public.list_prices to service_role;
