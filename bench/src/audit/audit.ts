import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { BenchError } from '../bench-error.ts'
import { add, NO_TOTALS, requireEqual, sumOf, type Totals } from './totals.ts'

/** Keeps what was sent and compares the database with it. */
export interface Audit {
  /** Notes events that are about to be sent. */
  note(events: readonly { readonly input_tokens: number; readonly output_tokens: number }[]): void
  /** Notes events of which only the sums are known. */
  noteTotals(totals: Totals): void
  /** Waits until as many events as were noted are visible. @throws BenchError after a minute */
  waitUntilVisible(): Promise<void>
  /** @throws BenchError unless every table holds exactly what was sent */
  requireExact(): Promise<void>
}

/** Where to look. */
export interface AuditedTables {
  /** Gives a row a table: name, events, input, output. */
  readonly totals: string
  /** Gives `events`: how many events a reader of the rollup sees. Asked often, so it has to be cheap. */
  readonly visible: string
}

/** The pipeline's ledger and rollups. */
export const USAGE_TABLES: AuditedTables = {
  totals: `
    select 'usage_events' as name, count(*) as events, sum(input_tokens) as input, sum(output_tokens) as output
      from tollgate.usage_events
    union all select 'usage_metrics', sum(event_count), sum(input_tokens), sum(output_tokens) from public.usage_metrics
    union all select 'usage_by_model', sum(event_count), sum(input_tokens), sum(output_tokens) from tollgate.usage_by_model`,
  visible: 'select coalesce(sum(event_count), 0)::float8 as events from public.usage_metrics',
}

const POLL_MS = 15
const TIMEOUT_MS = 60_000

/** Opens the books on tables that hold nothing yet. */
export function openAudit(db: pg.Pool, { totals, visible }: AuditedTables): Audit {
  let sent: Totals = NO_TOTALS
  return {
    note: (events) => {
      sent = add(sent, sumOf(events))
    },
    noteTotals: (totals) => {
      sent = add(sent, totals)
    },
    waitUntilVisible: () => waitForEvents(db, visible, sent.events),
    requireExact: async () => requireEqual(sent, await readTotals(db, totals)),
  }
}

async function waitForEvents(db: pg.Pool, query: string, wanted: number): Promise<void> {
  const deadlineMs = performance.now() + TIMEOUT_MS
  for (;;) {
    const { rows } = await db.query<{ events: number }>(query)
    const events = rows[0]?.events ?? 0
    if (events >= wanted) return
    if (performance.now() > deadlineMs) throw new BenchError(`Only ${events} of ${wanted} events came to be visible.`)
    await delay(POLL_MS)
  }
}

async function readTotals(db: pg.Pool, query: string): Promise<Map<string, Totals>> {
  const { rows } = await db.query<{ name: string; events: string; input: string | null; output: string | null }>(query)
  return new Map(
    rows.map(({ name, events, input, output }) => [
      name,
      { events: Number(events), inputTokens: Number(input ?? 0), outputTokens: Number(output ?? 0) },
    ]),
  )
}
