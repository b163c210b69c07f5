import type { Rpc } from '@tollgate/shared/store'
import type { EnforcerMetrics } from './metrics.ts'
import { type Repetition, startRepeating } from './repeat.ts'

/** What keeping holds stands on. */
export interface KeepHoldsOptions {
  readonly rpc: Rpc
  readonly intervalMs: number
  readonly metrics: Pick<EnforcerMetrics, 'expiredHolds'>
  /** Told of organizations whose holds were given back; must not throw. */
  readonly onChanged: (organizationIds: readonly string[]) => void
  readonly onError: (error: unknown) => void
  readonly now: () => number
}

const MAX_ROWS = 500
const PRUNE_EVERY_MS = 60_000

/**
 * Gives back holds whose lease has run out, and forgets old ones, in small slices. Requests of the same organization do
 * the first by themselves: without an enforcer nothing leaks, only the reports show a hold for longer.
 */
export function startKeepingHolds(options: KeepHoldsOptions): Repetition {
  const { rpc, intervalMs, onError, now } = options
  let prunedAtMs = Number.NEGATIVE_INFINITY
  return startRepeating({
    run: async (signal) => {
      await expireAll(options, signal)
      if (now() - prunedAtMs < PRUNE_EVERY_MS) return
      const [row] = await rpc('prune_reservations', { max_rows: MAX_ROWS })
      if ((row?.pruned ?? 0) < MAX_ROWS) prunedAtMs = now()
    },
    intervalMs,
    onError,
    now,
  })
}

async function expireAll({ rpc, metrics, onChanged }: KeepHoldsOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const [row] = await rpc('expire_reservations', { max_rows: MAX_ROWS })
    if (row === undefined || row.expired === 0) return
    metrics.expiredHolds.inc(row.expired)
    onChanged(row.organizations)
  }
}
