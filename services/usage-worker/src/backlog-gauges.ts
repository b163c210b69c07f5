import type { Metrics } from '@tollgate/shared/metrics'
import type { ReadUsageBacklog } from './read-usage-backlog.ts'

/** Registers what is read from Redis and the inbox at each scrape. */
export function defineBacklogGauges(metrics: Metrics, readBacklog: ReadUsageBacklog): void {
  const waiting = metrics.gauge('tollgate_usage_jobs_waiting', 'Jobs of usage-events that wait')
  const failed = metrics.gauge('tollgate_usage_jobs_failed', 'Jobs of usage-events that Redis keeps as failed')
  const events = metrics.gauge('tollgate_usage_backlog_events', 'Accepted events that are not recorded, by place', {
    labels: ['place'],
  })
  metrics.gauge('tollgate_usage_oldest_unrecorded_seconds', 'Age of the oldest event in Redis or inbox', {
    collect: async (gauge) => {
      // What cannot be read is left out: an old figure would look like a healthy one.
      for (const one of [waiting, failed, events]) one.reset()
      const { queue, inbox, oldestMs } = await readBacklog()
      if (queue !== undefined) {
        waiting.set(queue.waiting)
        failed.set(queue.failed)
        events.set({ place: 'redis' }, queue.items)
      }
      if (inbox !== undefined) events.set({ place: 'inbox' }, inbox.events)
      gauge.set(oldestMs / 1_000)
    },
  })
}
