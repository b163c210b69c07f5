import { setTimeout as delay } from 'node:timers/promises'
import type { Rpc } from '@tollgate/shared/store'

const HOUR_MS = 3_600_000
const RETRY_MS = 10_000

/** Creates the ledger's monthly partitions ahead, at the start and every hour, until stopped. */
export async function keepPartitions(
  rpc: Rpc,
  onError: (error: unknown) => void,
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    const waitMs = await rpc('ensure_usage_partitions', {}).then(
      () => HOUR_MS,
      (error: unknown) => {
        onError(error)
        return RETRY_MS
      },
    )
    await delay(waitMs, undefined, { signal: stopping }).catch(() => undefined)
  }
}
