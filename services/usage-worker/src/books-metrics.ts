import type { Metrics } from '@tollgate/shared/metrics'

/** What the keeping of the books counts. */
export function defineBooksMetrics(metrics: Metrics) {
  return {
    drift: metrics.gauge('tollgate_rollup_drift', 'Rollup rows that were not the sum of the ledger, latest pass', {
      labels: ['rollup'],
    }),
    reconciledSlices: metrics.counter('tollgate_reconciled_slices_total', 'Slices of the books that were compared'),
    lastPassSeconds: metrics.gauge(
      'tollgate_reconcile_last_pass_seconds',
      'When a whole pass ended, seconds since 1970',
    ),
    movedEntries: metrics.counter(
      'tollgate_ledger_moved_entries_total',
      'Ledger entries that found no partition of their month and were moved into one',
    ),
    sealedPartitions: metrics.counter('tollgate_ledger_sealed_partitions_total', 'Ledger months sealed and dropped'),
    prunedIdentities: metrics.counter('tollgate_identities_pruned_total', 'Event identities forgotten by age'),
  }
}
export type BooksMetrics = ReturnType<typeof defineBooksMetrics>
