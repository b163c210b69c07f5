import { setTimeout as delay } from 'node:timers/promises'
import type { BooksDrift, BooksScan, Rpc, RpcRow } from '@tollgate/shared/store'
import type { BooksMetrics } from './books-metrics.ts'

/** What the background reconciler stands on. */
export interface ReconcileOptions {
  readonly rpc: Rpc
  readonly metrics: BooksMetrics
  /** False: report only. */
  readonly repair: boolean
  /** A pass begins this long after the last one began, and recent days are looked at again at least this often. */
  readonly intervalMs: number
  readonly onDrift: (drift: BooksDrift[]) => void
  readonly onError: (error: unknown) => void
  readonly now: () => number
  readonly stopping: AbortSignal
}

const ROLLUPS = [
  'usage_metrics',
  'usage_by_model',
  'usage_by_organization_model',
  'usage_by_month',
  'chat_sessions',
  'period_totals',
] as const
const SLICE_BUDGET_MS = 100
// Of the time that comparing takes, so much is left to others: the reconciler uses a tenth of one connection.
const REST_PER_WORK = 9
const MAX_REST_MS = 10_000
const RECENT_DAYS = 2
const DAY_MS = 86_400_000

/** Rows that the pass under way has found to be off, by rollup; a row that is found again is still one. */
type Found = Map<BooksDrift['rollup'], Set<string>>

/**
 * Proves the rollups by the ledger, for ever and in small slices, until stopped. Days that still change are looked at in
 * every round; all the others follow in one long pass that goes on where it was, in every round too, however long the
 * recent days take.
 */
export async function keepReconciled(options: ReconcileOptions): Promise<void> {
  const { intervalMs, stopping, onError, now } = options
  const found: Found = new Map()
  const start: BooksScan = { repair: options.repair, budget_ms: SLICE_BUDGET_MS }
  let long: BooksScan | null = start
  while (!stopping.aborted) {
    const beganAt = now()
    const since = new Date(beganAt - RECENT_DAYS * DAY_MS).toISOString().slice(0, 10)
    await advance({ ...start, since }, options, found, Number.POSITIVE_INFINITY).catch(onError)
    try {
      long = await advance(long ?? start, options, found, now() + intervalMs)
      if (long === null) finishPass(options, found)
    } catch (error) {
      onError(error)
    }
    await rest(Math.min(intervalMs, beganAt + intervalMs - now()), stopping) // no longer, though the clock was set back
  }
}

/** Takes slices, one call at least, until the pass is through (null) or the time is up (where to go on). */
async function advance(
  from: BooksScan,
  options: ReconcileOptions,
  found: Found,
  untilMs: number,
): Promise<BooksScan | null> {
  const { rpc, metrics, now, stopping } = options
  let scan: BooksScan | null = from
  do {
    const began = now()
    const [result]: RpcRow<'reconcile_books'>[] = await rpc('reconcile_books', { scan })
    if (!result) return null
    metrics.reconciledSlices.inc(result.slices)
    if (result.drift.length > 0) report(result.drift, options, found)
    if (!result.busy) scan = result.resume
    await rest(result.busy ? MAX_REST_MS : Math.min(MAX_REST_MS, REST_PER_WORK * (now() - began)), stopping)
  } while (scan !== null && !stopping.aborted && now() < untilMs)
  return scan
}

function report(drift: BooksDrift[], options: ReconcileOptions, found: Found): void {
  for (const { rollup, tokens_off: _tokens, cost_off: _cost, ...key } of drift) {
    const rows = found.get(rollup) ?? new Set()
    found.set(rollup, rows.add(JSON.stringify(key)))
    options.metrics.drift.set({ rollup }, rows.size)
  }
  options.onDrift(drift)
}

/** At the end of a whole pass the gauge says what that pass has found. */
function finishPass({ metrics, now }: ReconcileOptions, found: Found): void {
  for (const rollup of ROLLUPS) {
    metrics.drift.set({ rollup }, found.get(rollup)?.size ?? 0)
  }
  found.clear()
  metrics.lastPassSeconds.set(now() / 1_000)
}

async function rest(ms: number, stopping: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal: stopping }).catch(() => undefined)
}
