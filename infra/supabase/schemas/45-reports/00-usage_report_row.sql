-- A row of a usage report before it is dressed: sums of one bucket and group. Null where the report is not grouped by it.
create type tollgate.usage_report_row as (
  bucket text,
  model text,
  user_id uuid,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint,
  reasoning_output_tokens bigint,
  cost_usd numeric,
  charge_usd numeric,
  message_count bigint,
  event_count bigint,
  unpriced_events bigint
);

-- What a report asks for, read once from its jsonb argument.
create type tollgate.usage_report_query as (
  organization_id uuid,
  start_date date, -- the organization's day, inclusive
  end_date date,   -- exclusive
  bucket text,     -- hour | day | month | total
  by_model boolean,
  by_user boolean,
  by_token_kind boolean,
  user_id uuid,    -- null: everybody whom the caller may see
  model text       -- null: every model
);
