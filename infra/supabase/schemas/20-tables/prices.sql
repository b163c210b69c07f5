-- Price book. US dollars per million LLM tokens, exact decimals. An operator's row wins over a seeded one.
create table tollgate.model_prices (
  id bigint generated always as identity primary key,
  provider text not null,
  model text not null,
  origin text not null check (origin in ('genai-prices', 'operator')),
  valid_from timestamptz not null default '-infinity',
  valid_to timestamptz not null default 'infinity',
  min_input_tokens bigint not null default 0, -- long-context tier: holds for calls with at least this much input
  input_usd_per_mtok numeric(20, 6) not null check (input_usd_per_mtok >= 0 and input_usd_per_mtok < 1e9),
  output_usd_per_mtok numeric(20, 6) not null check (output_usd_per_mtok >= 0 and output_usd_per_mtok < 1e9),
  cache_read_usd_per_mtok numeric(20, 6) check (cache_read_usd_per_mtok >= 0),         -- null: as input
  cache_creation_usd_per_mtok numeric(20, 6) check (cache_creation_usd_per_mtok >= 0), -- null: as input
  reasoning_usd_per_mtok numeric(20, 6) check (reasoning_usd_per_mtok >= 0),           -- null: as output
  check (valid_from < valid_to),
  unique (provider, model, origin, valid_from, min_input_tokens)
);
create index model_prices_model_idx on tollgate.model_prices (model, provider);

-- Other names of a model: whole, or the beginning of a dated or suffixed name.
create table tollgate.model_aliases (
  provider text not null,
  alias text not null,
  is_prefix boolean not null,
  model text not null,
  primary key (provider, alias, is_prefix)
);
create index model_aliases_alias_idx on tollgate.model_aliases (alias);
