import type pg from 'pg'

/** LLM tokens, exact. */
export interface TokenSums {
  readonly events: bigint
  readonly input: bigint
  readonly output: bigint
  readonly total: bigint
}

/** The tables that must agree on an organization: the ledger and what is folded from it. */
export const BOOKS = ['ledger', 'usage_metrics', 'usage_by_model', 'chat_sessions', 'period_totals'] as const
export type Book = (typeof BOOKS)[number]

/** What one table says of one organization; null where the table does not tell input from output. */
export interface BookEntry {
  readonly book: Book
  readonly organizationId: string
  readonly input: bigint | null
  readonly output: bigint | null
  readonly total: bigint
  /** Exact decimal of the priced events. */
  readonly costUsd: string
}

/** What one model cost. `model` null is the sum of all. */
export interface ModelFigures extends TokenSums {
  readonly model: string | null
  /** Exact decimal of the priced events; null when none of them has a price. */
  readonly costUsd: string | null
  readonly unpricedEvents: bigint
  readonly unpricedTokens: bigint
}

/** All that is compared, of one moment of the database. */
export interface Figures {
  /** The replayed events in the ledger. */
  readonly replayed: TokenSums
  readonly books: readonly BookEntry[]
  readonly models: readonly ModelFigures[]
}

/** Which events are asked for. */
export interface EventSelection {
  readonly organizationIds: readonly string[]
  readonly source: string
  readonly eventIds: readonly string[]
}

const OF_REPLAY = `from tollgate.usage_events
  where organization_id = any($1::uuid[]) and source = $2 and event_id = any($3::text[])`

// What holds of an event is the sum of its entries: a re-rate or a correction adds some.
const MODELS = `with event as (
    select model, sum(event_count) as events, sum(input_tokens) as input, sum(output_tokens) as output,
      sum(total_tokens) as total, sum(cost_usd) as cost, sum(unpriced_events) as unpriced
    ${OF_REPLAY} group by organization_id, digest, model)
  select model, coalesce(sum(events), 0)::text as events, coalesce(sum(input), 0)::text as input,
    coalesce(sum(output), 0)::text as output, coalesce(sum(total), 0)::text as total,
    trim_scale(sum(cost))::text as cost, coalesce(sum(unpriced), 0)::text as unpriced_events,
    coalesce(sum(total) filter (where unpriced > 0), 0)::text as unpriced_tokens
  from event group by grouping sets ((model), ()) order by model`

const bookOf = (book: Book, table: string, input: string, output: string, total: string): string =>
  `select '${book}' as book, organization_id::text, ${input}::text as input, ${output}::text as output,
    sum(${total})::text as total, trim_scale(coalesce(sum(cost_usd), 0))::text as cost
    from ${table} where organization_id = any($1::uuid[]) group by organization_id`

const BOOKS_QUERY = [
  bookOf('ledger', 'tollgate.usage_events', 'sum(input_tokens)', 'sum(output_tokens)', 'total_tokens'),
  bookOf('usage_metrics', 'public.usage_metrics', 'sum(input_tokens)', 'sum(output_tokens)', 'tokens_used'),
  bookOf('usage_by_model', 'tollgate.usage_by_model', 'sum(input_tokens)', 'sum(output_tokens)', 'total_tokens'),
  bookOf('chat_sessions', 'public.chat_sessions', 'sum(input_tokens)', 'sum(output_tokens)', 'total_tokens'),
  bookOf('period_totals', 'tollgate.period_totals', 'null', 'null', 'used_tokens'),
].join(' union all ')

interface SumRow {
  events: string
  input: string
  output: string
  total: string
}

interface ModelRow extends SumRow {
  model: string | null
  cost: string | null
  unpriced_events: string
  unpriced_tokens: string
}

interface BookRow {
  book: Book
  organization_id: string
  input: string | null
  output: string | null
  total: string
  cost: string
}

const toSums = ({ events, input, output, total }: SumRow): TokenSums => ({
  events: BigInt(events),
  input: BigInt(input),
  output: BigInt(output),
  total: BigInt(total),
})

const toModel = (row: ModelRow): ModelFigures => ({
  ...toSums(row),
  model: row.model,
  costUsd: row.cost,
  unpricedEvents: BigInt(row.unpriced_events),
  unpricedTokens: BigInt(row.unpriced_tokens),
})

const toEntry = (row: BookRow): BookEntry => ({
  book: row.book,
  organizationId: row.organization_id,
  input: row.input === null ? null : BigInt(row.input),
  output: row.output === null ? null : BigInt(row.output),
  total: BigInt(row.total),
  costUsd: row.cost,
})

const NOTHING: TokenSums = { events: 0n, input: 0n, output: 0n, total: 0n }

/** Reads everything in one snapshot, so that usage which arrives meanwhile can not make the tables look unequal. */
export async function readFigures(pool: pg.Pool, selection: EventSelection): Promise<Figures> {
  const { organizationIds, source, eventIds } = selection
  const client = await pool.connect()
  let failed = true
  try {
    await client.query('begin isolation level repeatable read read only')
    const models = await client.query<ModelRow>(MODELS, [organizationIds, source, eventIds])
    const books = await client.query<BookRow>(BOOKS_QUERY, [organizationIds])
    await client.query('commit')
    const figures = models.rows.map(toModel)
    failed = false
    const replayed = figures.find(({ model }) => model === null) ?? NOTHING
    return { replayed, models: figures, books: books.rows.map(toEntry) }
  } finally {
    client.release(failed)
  }
}

/** Ids of a source's events that are in the ledger. */
export async function readRecordedIds(
  pool: pg.Pool,
  organizationIds: readonly string[],
  source: string,
): Promise<Set<string>> {
  const { rows } = await pool.query<{ event_id: string }>(
    'select event_id from tollgate.usage_events where organization_id = any($1::uuid[]) and source = $2',
    [organizationIds, source],
  )
  return new Set(rows.map(({ event_id }) => event_id))
}
