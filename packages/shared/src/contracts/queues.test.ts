import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { quotaEvaluationsJob, usageEventsJob } from './queues.ts'

// During a rolling upgrade jobs of the release before wait in Redis. With each release these files are written anew, from
// that release's producer; a schema that no longer reads them is not additive.
const lastRelease = (queue: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, `last-release/${queue}.json`), 'utf8'))

test.each([
  ['usage-events', usageEventsJob],
  ['quota-evaluations', quotaEvaluationsJob],
])('a job of %s that the last release queued is read, and loses nothing', (queue, schema) => {
  const job = lastRelease(queue)
  expect(schema.parse(job)).toMatchObject(job as object)
})

test('a job of a later version is refused and not half read', () => {
  expect(usageEventsJob.safeParse({ ...(lastRelease('usage-events') as object), v: 2 }).success).toBe(false)
})
