import type { Metrics } from '@tollgate/shared/metrics'
import type { Backlog } from '@tollgate/shared/queues'
import type { RpcRow } from '@tollgate/shared/store'

/** What quota-enforcer counts. */
export type EnforcerMetrics = ReturnType<typeof defineEnforcerMetrics>

/** Registers the service's own metrics. */
export function defineEnforcerMetrics(metrics: Metrics) {
  return {
    decisions: metrics.counter('tollgate_quota_decisions_total', 'Changes of enforcement put on record, by new state', [
      'state',
    ]),
    evaluations: metrics.counter(
      'tollgate_quota_evaluations_total',
      'Evaluations by outcome: changed, unchanged, waiting (users stay due until those have ended who are recording usage), unknown_organization (dropped), contended (left to the sweep), failed',
      ['outcome'],
    ),
    evaluationSeconds: metrics.histogram(
      'tollgate_quota_evaluation_seconds',
      'Time to load, decide, apply and publish',
    ),
    unreadablePolicies: metrics.counter(
      'tollgate_quota_unreadable_policies_total',
      'Evaluations that took the default ladder because the stored one could not be read',
    ),
    publishFailures: metrics.counter(
      'tollgate_enforcement_publish_failures_total',
      'States that did not reach Redis; the next rebuild brings them',
    ),
    healed: metrics.counter(
      'tollgate_sweep_healed_total',
      'What the sweep put right: period, limit_changed, time (a grant, a grace or a manual act ended), sweep (a lost wake-up), redis (a missing or old copy)',
      ['reason'],
    ),
    driftTokens: metrics.gauge(
      'tollgate_quota_drift_tokens',
      'LLM tokens by which published positions and totals of holds differed from the truth in the present round',
    ),
    driftRepairs: metrics.counter(
      'tollgate_quota_drift_repairs_total',
      'Organizations put right by the audit: copy (published position), holds (total of open holds)',
      ['what'],
    ),
    expiredHolds: metrics.counter('tollgate_reservations_expired_total', 'Holds given back when their lease ran out'),
    epochs: metrics.counter(
      'tollgate_enforcement_epochs_total',
      'Times that Postgres turned out to be older than what had been published',
    ),
    webhooks: metrics.counter(
      'tollgate_webhook_deliveries_total',
      'Attempts to deliver a notification: delivered, failed (tried again), dead (given up)',
      ['outcome'],
    ),
    deadLetters: metrics.counter(
      'tollgate_quota_evaluations_dead_letters_total',
      'Wake-ups given up; the sweep takes over',
    ),
  }
}

/** Registers what is read from the queue at each scrape. */
export function defineBacklogGauges(metrics: Metrics, readBacklog: () => Promise<Backlog>): void {
  const waiting = metrics.gauge('tollgate_quota_evaluations_waiting', 'Wake-ups that wait')
  metrics.gauge('tollgate_quota_evaluations_oldest_seconds', 'Age of the wake-up that has waited longest', {
    collect: async (gauge) => {
      const backlog = await readBacklog()
      waiting.set(backlog.waiting)
      gauge.set(backlog.oldestMs / 1_000)
    },
  })
}

/** Registers how far deliveries of notifications are behind. */
export function defineWebhookGauges(
  metrics: Metrics,
  readBacklog: () => Promise<RpcRow<'webhook_backlog'> | undefined>,
): void {
  const pending = metrics.gauge('tollgate_webhooks_pending', 'Notifications that are not delivered yet')
  const overdue = metrics.gauge(
    'tollgate_webhooks_overdue_seconds',
    'How long a notification has been due without being tried',
  )
  metrics.gauge('tollgate_webhooks_oldest_seconds', 'Age of the oldest notification that is not delivered yet', {
    collect: async (gauge) => {
      const backlog = await readBacklog()
      pending.set(backlog?.pending ?? 0)
      overdue.set(backlog?.overdue_seconds ?? 0)
      gauge.set(backlog?.oldest_seconds ?? 0)
    },
  })
}
