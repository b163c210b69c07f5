-- Purpose: the name under which the price book keeps a provider. Parameters: reported_provider (null: the model's maker is
--   assumed). Returns: a name, null for null. Reads nothing; without `set`, so that it is inlined.
create function tollgate.priced_provider(reported_provider text) returns text
language sql immutable parallel safe
return case lower(reported_provider)
  when 'openai_responses' then 'openai'
  when 'gcp.gemini' then 'google' when 'gcp.vertex_ai' then 'google' when 'gcp.gen_ai' then 'google'
  when 'gemini' then 'google' when 'vertexai' then 'google'
  when 'aws.bedrock' then 'aws' when 'bedrock' then 'aws'
  when 'azure.ai.openai' then 'azure' when 'azure.ai.inference' then 'azure' when 'azureopenai' then 'azure'
  when 'mistral_ai' then 'mistral' when 'mistralai' then 'mistral'
  when 'x_ai' then 'x-ai' when 'xai' then 'x-ai'
  else lower(reported_provider)
end;

-- Purpose: find under which provider and name the price book keeps a model.
-- Parameters: reported_provider (null: the model's maker is assumed), reported_model.
-- Returns: no row, or one (provider, model). Exact name, whole alias, name without its date, longest matching beginning, in this order.
-- Invariant: a provider that was reported is never replaced by another one: their prices differ.
create function tollgate.resolve_model(reported_provider text, reported_model text)
returns table (provider text, model text)
language sql stable security invoker set search_path = ''
as $$
  with named as (
    select tollgate.priced_provider(reported_provider) as provider
  ), candidate as (
    select p.provider, p.model, 1 as rank, 0 as matched from tollgate.model_prices p where p.model = reported_model
    union all
    select a.provider, a.model, 2, 0 from tollgate.model_aliases a where a.alias = reported_model and not a.is_prefix
    union all
    -- A dated release without a price of its own costs what its model costs.
    select p.provider, p.model, 3, 0 from tollgate.model_prices p
    where p.model = regexp_replace(reported_model, '-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$', '') and p.model <> reported_model
    union all
    select a.provider, a.model, 4, length(a.alias) from tollgate.model_aliases a
    where a.is_prefix and starts_with(reported_model, a.alias)
  )
  select c.provider, c.model
  from candidate c, named n
  where n.provider is null or c.provider = n.provider
  order by
    array_position(array['openai', 'anthropic', 'google', 'mistral', 'deepseek', 'x-ai', 'cohere'], c.provider),
    c.rank, c.matched desc, c.provider
  limit 1
$$;

grant execute on function tollgate.priced_provider, tollgate.resolve_model to tollgate_usage_worker, service_role;
