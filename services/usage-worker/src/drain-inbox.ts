import { setTimeout as delay } from 'node:timers/promises'
import { isRetryableStoreError, type Rpc, type RpcRow } from '@tollgate/shared/store'
import { countHolds, type UsageMetrics } from './metrics.ts'

/** What draining the inbox stands on. */
export interface DrainOptions {
  readonly rpc: Rpc
  readonly metrics: UsageMetrics
  readonly announce: (totals: RpcRow<'drain_inbox'>['totals']) => void
  readonly onError: (error: unknown) => void
  /** Told whenever rows were taken, and when nothing is left in the inbox that this worker could take. */
  readonly onProgress?: () => void
}

// A row is one request's or one group commit's events: up to a thousand.
const ROWS_AT_A_TIME = 10

/**
 * Records what was accepted while Redis was away, until the inbox is empty.
 * A row that Postgres refuses for its content is set aside as a dead letter.
 * @returns inbox rows taken
 * @throws StoreError when Postgres is away, or fails for another reason than a row's content
 */
export async function drainInbox({ rpc, metrics, announce, onProgress }: DrainOptions): Promise<number> {
  let rows = 0
  let atATime = ROWS_AT_A_TIME
  for (;;) {
    try {
      const [result] = await rpc('drain_inbox', { max_rows: atATime })
      onProgress?.()
      if (!result || result.drained === 0) return rows
      rows += result.drained
      metrics.outcomes.inc({ outcome: 'recorded' }, result.recorded)
      metrics.outcomes.inc({ outcome: 'duplicate' }, result.duplicates)
      metrics.outcomes.inc({ outcome: 'rejected' }, result.rejected.length)
      metrics.unpriced.inc(result.unpriced)
      countHolds(result.holds, metrics)
      metrics.afterRevocation.inc(result.after_revocation)
      metrics.deadLetters.inc(result.buried)
      announce(result.totals)
      atATime = ROWS_AT_A_TIME
    } catch (error) {
      if (isRetryableStoreError(error)) throw error
      // One row of the batch is at fault: take them singly, and Postgres sets the one aside whose content it refuses.
      if (atATime === 1) throw error
      atATime = 1
    }
  }
}

/** Drains the inbox every `pollMs` until stopped; resolves when the last round has ended. */
export async function keepInboxDrained(options: DrainOptions, pollMs: number, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    await drainInbox(options).catch(options.onError)
    await delay(pollMs, undefined, { signal: stopping }).catch(() => undefined)
  }
}
