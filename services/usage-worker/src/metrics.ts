import type { Metrics } from '@tollgate/shared/metrics'
import type { RpcRow } from '@tollgate/shared/store'

/** What the usage worker counts. Each has an alert rule and a line in docs/operations.md. */
export function defineUsageMetrics(metrics: Metrics) {
  return {
    outcomes: metrics.counter('tollgate_usage_events_total', 'Events by what became of them', ['outcome']),
    conflicts: metrics.counter(
      'tollgate_usage_conflicts_total',
      'Duplicates whose counts, user, session or model differ from what was counted',
    ),
    unpriced: metrics.counter('tollgate_unpriced_events_total', 'Recorded usage events without a known price'),
    afterRevocation: metrics.counter(
      'tollgate_usage_after_revocation_total',
      'Recorded calls that were made while their organization was revoked',
    ),
    sessionsClosed: metrics.counter('tollgate_sessions_closed_total', 'Chat sessions closed though nobody ended them', [
      'reason',
    ]),
    deadLetters: metrics.counter('tollgate_dead_letters_total', 'Events and jobs set aside as not recordable'),
    retries: metrics.counter('tollgate_usage_commit_retries_total', 'Transactions repeated after a passing fault'),
    announceFailures: metrics.counter(
      'tollgate_quota_announce_failures_total',
      'Wake-ups of the enforcer that Redis did not take; its sweep finds the organization',
    ),
    settledReservations: metrics.counter('tollgate_reservation_settlements_total', 'Holds that their usage has ended'),
    lateSettlements: metrics.counter(
      'tollgate_reservation_late_settlements_total',
      'Usage events that came after their hold had been given back, or that name none; they count all the same',
    ),
    excessTokens: metrics.counter(
      'tollgate_reservation_excess_tokens_total',
      'LLM tokens used above what was held for them',
    ),
    redisRollbacks: metrics.counter(
      'tollgate_redis_rollbacks_total',
      'Times that Redis was found wiped or put back to an earlier state',
    ),
    redisGap: metrics.counter(
      'tollgate_redis_gap_events_total',
      'Events that waited in Redis when last looked at before it lost them; clients have to repeat them',
    ),
    batchEvents: metrics.histogram('tollgate_usage_batch_events', 'Events of a transaction', {
      buckets: [1, 10, 50, 100, 250, 500, 1_000, 2_000, 5_000],
    }),
    commitSeconds: metrics.histogram('tollgate_usage_commit_seconds', 'Time of a transaction'),
    lagSeconds: metrics.histogram(
      'tollgate_usage_lag_seconds',
      'Age of the oldest event of a transaction at its commit',
      // Far enough up to see the age of events that waited out an outage.
      { buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600] },
    ),
  }
}
export type UsageMetrics = ReturnType<typeof defineUsageMetrics>

/** Counts what a transaction did with holds. */
export function countHolds(holds: RpcRow<'ingest_usage'>['holds'], metrics: UsageMetrics): void {
  metrics.settledReservations.inc(holds.settled)
  metrics.lateSettlements.inc(holds.late)
  metrics.excessTokens.inc(holds.excess_tokens)
}
