import { setTimeout as delay } from 'node:timers/promises'
import type { Rpc } from '@tollgate/shared/store'
import type { BooksMetrics } from './books-metrics.ts'

const HOUR_MS = 3_600_000
const RETRY_MS = 10_000

/** What keeping the partitions stands on. */
export interface PartitionOptions {
  readonly rpc: Rpc
  readonly metrics: Pick<BooksMetrics, 'movedEntries'>
  readonly onError: (error: unknown) => void
  readonly stopping: AbortSignal
}

/**
 * Creates the ledger's monthly partitions ahead, at the start and every hour, until stopped. Entries that found no
 * partition are in the default one until then: counting never stops for a missing month.
 */
export async function keepPartitions({ rpc, metrics, onError, stopping }: PartitionOptions): Promise<void> {
  while (!stopping.aborted) {
    const waitMs = await rpc('ensure_usage_partitions', {}).then(
      ([result]) => {
        metrics.movedEntries.inc(Number(result?.moved ?? 0))
        return HOUR_MS
      },
      (error: unknown) => {
        onError(error)
        return RETRY_MS
      },
    )
    await delay(waitMs, undefined, { signal: stopping }).catch(() => undefined)
  }
}
