import { setTimeout as delay } from 'node:timers/promises'
import type { Rpc } from '@tollgate/shared/store'
import type { BooksMetrics } from './books-metrics.ts'

/** How long things are kept, in days. */
export interface Retention {
  readonly ledgerDays: number
  readonly identityDays: number
}

/** What retention stands on. */
export interface RetentionOptions {
  readonly rpc: Rpc
  readonly metrics: BooksMetrics
  readonly retention: Retention
  readonly onSealed: (sealed: { partition: string; entries: string; total_tokens: string }) => void
  readonly onError: (error: unknown) => void
  readonly stopping: AbortSignal
}

const ROUND_MS = 3_600_000
const PRUNED_AT_A_TIME = 5_000
// Between two bites, so that ingestion never waits for retention.
const PAUSE_MS = 200

/** Seals and drops what is past its time, once an hour, until stopped. */
export async function keepRetention(options: RetentionOptions): Promise<void> {
  const { stopping, onError } = options
  while (!stopping.aborted) {
    await retainOnce(options).catch(onError)
    await delay(ROUND_MS, undefined, { signal: stopping }).catch(() => undefined)
  }
}

/** One round: ledger partitions past retention are sealed with their closing figures and dropped, old identities forgotten. */
export async function retainOnce(options: RetentionOptions): Promise<void> {
  const { rpc, metrics, retention, stopping } = options
  while (!stopping.aborted) {
    const [sealed] = await rpc('seal_usage_partition', { retention_days: retention.ledgerDays })
    if (!sealed) break
    metrics.sealedPartitions.inc()
    options.onSealed(sealed)
  }
  const bite = { retention_days: retention.identityDays, max_rows: PRUNED_AT_A_TIME }
  while (!stopping.aborted) {
    const [result] = await rpc('prune_identities', bite)
    metrics.prunedIdentities.inc(result?.pruned ?? 0)
    if ((result?.pruned ?? 0) < PRUNED_AT_A_TIME) break
    await delay(PAUSE_MS, undefined, { signal: stopping }).catch(() => undefined)
  }
}
