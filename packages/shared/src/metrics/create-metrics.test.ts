import { expect, test } from 'vitest'
import { createMetrics } from './index.ts'

test('counts under the service label and beside the process metrics', async () => {
  const metrics = createMetrics({ service: 'usage-worker' })
  metrics.counter('tollgate_events_recorded_total', 'Events.', ['outcome']).inc({ outcome: 'recorded' }, 3)
  const text = await metrics.registry.metrics()
  expect(text).toContain('tollgate_events_recorded_total{outcome="recorded",service="usage-worker"} 3')
  expect(text).toContain('process_cpu_seconds_total')
})

test('a label per tenant or person is refused', () => {
  const { counter } = createMetrics({ service: 'test' })
  expect(() => counter('tollgate_x_total', 'X.', ['organization_id'])).toThrow(/per tenant/)
  expect(() => counter('tollgate_y_total', 'Y.', ['user'])).toThrow(/per tenant/)
})

test('a gauge whose reading fails does not take the scrape down', async () => {
  const metrics = createMetrics({ service: 'test' })
  metrics.gauge('tollgate_jobs_waiting', 'Jobs.', {
    collect: () => {
      throw new Error('Redis is away')
    },
  })
  await expect(metrics.registry.metrics()).resolves.toContain('tollgate_jobs_waiting')
})
