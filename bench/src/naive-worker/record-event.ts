import type { UsageRow } from '../load/make-events.ts'

/** A statement with its parameters. */
type Statement = readonly [text: string, values: unknown[]]

/** The tables of the naive pipeline: as few columns and indexes as the job can be done with. */
export const NAIVE_TABLES = `
  create schema if not exists bench;
  create table bench.naive_seen (
    organization_id uuid, source text, id text, primary key (organization_id, source, id));
  create table bench.naive_events (
    organization_id uuid not null, source text not null, id text not null, time timestamptz not null,
    received_at timestamptz not null, user_id uuid not null, session_id text not null, message_id text, provider text,
    model text not null, input_tokens bigint not null, output_tokens bigint not null,
    cache_read_input_tokens bigint not null, cache_creation_input_tokens bigint not null,
    reasoning_output_tokens bigint not null, message_count integer not null);
  create index on bench.naive_events (organization_id, time);
  create table bench.naive_usage_metrics (
    organization_id uuid, user_id uuid, date date, input_tokens bigint, output_tokens bigint, event_count bigint,
    primary key (organization_id, user_id, date)) with (fillfactor = 60);
  create table bench.naive_usage_by_model (
    organization_id uuid, date date, model text, user_id uuid, input_tokens bigint, output_tokens bigint,
    event_count bigint, primary key (organization_id, date, model, user_id)) with (fillfactor = 60);`

const LEDGER_COLUMNS = [
  ...(['organization_id', 'source', 'id', 'time', 'received_at', 'user_id', 'session_id', 'message_id'] as const),
  ...(['provider', 'model', 'input_tokens', 'output_tokens', 'cache_read_input_tokens'] as const),
  ...(['cache_creation_input_tokens', 'reasoning_output_tokens', 'message_count'] as const),
]

/** The identity of an event: no row comes back when it was seen before. */
export function claim({ organization_id, source, id }: UsageRow): Statement {
  const text = 'insert into bench.naive_seen values ($1, $2, $3) on conflict do nothing returning 1'
  return [text, [organization_id, source, id]]
}

/** What is written for an event that is new: ledger and two rollups. */
export function record(event: UsageRow): Statement[] {
  const { organization_id, user_id, model, time, input_tokens, output_tokens } = event
  const date = time.slice(0, 10)
  return [
    [
      `insert into bench.naive_events
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
      LEDGER_COLUMNS.map((column) => event[column]),
    ],
    [
      `insert into bench.naive_usage_metrics as t values ($1, $2, $3, $4, $5, 1)
        on conflict (organization_id, user_id, date) do update set input_tokens = t.input_tokens + excluded.input_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens, event_count = t.event_count + 1`,
      [organization_id, user_id, date, input_tokens, output_tokens],
    ],
    [
      `insert into bench.naive_usage_by_model as t values ($1, $2, $3, $4, $5, $6, 1)
        on conflict (organization_id, date, model, user_id) do update set
        input_tokens = t.input_tokens + excluded.input_tokens, output_tokens = t.output_tokens + excluded.output_tokens,
        event_count = t.event_count + 1`,
      [organization_id, date, model, user_id, input_tokens, output_tokens],
    ],
  ]
}
