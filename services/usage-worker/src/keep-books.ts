import { storeSettings } from '@tollgate/shared/config'
import type { StartContext } from '@tollgate/shared/lifecycle'
import type { Logger } from '@tollgate/shared/logging'
import type { Metrics } from '@tollgate/shared/metrics'
import { openStore, type Rpc } from '@tollgate/shared/store'
import { defineBooksMetrics } from './books-metrics.ts'
import type { UsageWorkerConfig } from './config.ts'
import { keepPartitions } from './keep-partitions.ts'
import { keepReconciled } from './keep-reconciled.ts'
import { keepRetention } from './keep-retention.ts'

/** What keeping the books stands on. */
export interface BooksOptions extends StartContext {
  readonly config: UsageWorkerConfig
  readonly logger: Logger
  readonly metrics: Metrics
  /** The connections that record: partitions are created over these. */
  readonly rpc: Rpc
  readonly onError: (error: unknown) => void
  readonly now: () => number
}

// Sealing a month reads all of its entries.
const STATEMENT_TIMEOUT_MS = 10 * 60_000
const RECONCILE_INTERVAL_MS = 15_000

/** Keeps partitions, retention and rollups in order until stopped. Long statements have one connection of their own. */
export async function keepBooks(options: BooksOptions): Promise<void> {
  const { config, logger, phases, onError, stopping, now } = options
  const metrics = defineBooksMetrics(options.metrics)
  const store = openStore(storeSettings(config), {
    applicationName: 'tollgate-usage-worker-books',
    maxConnections: 1,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    onError,
  })
  phases.add('close', 'books store', 500, store.close)
  const retention = { ledgerDays: config.LEDGER_RETENTION, identityDays: config.IDENTITY_RETENTION }
  const onSealed = (sealed: object): void => logger.info({ sealed }, 'a month of the ledger is sealed and dropped')
  const onDrift = (drift: object[]): void => logger.error({ drift }, 'rollups were not the sum of the ledger')
  await Promise.all([
    keepPartitions({ rpc: options.rpc, metrics, onError, stopping }),
    keepRetention({ rpc: store.rpc, metrics, retention, onSealed, onError, stopping }),
    config.RECONCILE === 'off'
      ? undefined
      : keepReconciled({
          rpc: store.rpc,
          metrics,
          repair: config.RECONCILE === 'repair',
          intervalMs: RECONCILE_INTERVAL_MS,
          onDrift,
          onError,
          now,
          stopping,
        }),
  ])
}
