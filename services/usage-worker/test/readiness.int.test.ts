import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@tollgate/local-stack/testing'
import type { EventOutcome, UsageEventsText } from '@tollgate/shared/contracts'
import { createMetrics } from '@tollgate/shared/metrics'
import {
  type Consumer,
  createProducer,
  createProducerConnection,
  createWorkerConnection,
  disconnectAll,
  type Producer,
  sizedJobId,
} from '@tollgate/shared/queues'
import { createPgRpc, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { defineBacklogGauges } from '../src/backlog-gauges.ts'
import { consumeUsageEvents } from '../src/consume.ts'
import { createBacklogReader, type ReadUsageBacklog } from '../src/read-usage-backlog.ts'
import { checkProgress } from '../src/readiness.ts'

const STUCK_AFTER_MS = 400
const onError = (): void => undefined
const event = {
  type: 'session.ended',
  source: 's',
  id: 'e',
  time: '2026-11-25T10:00:00.000Z',
  received_at: '2026-11-25T10:00:00.000Z',
  member: true,
  organization_id: '00000000-0000-4000-8000-000000000001',
  user_id: '00000000-0000-4000-8000-0000000000a1',
  session_id: 'c',
  reason: 'closed',
} as const

let database: TestDatabase
let redis: TestRedis
let store: RpcStore
let admin: pg.Client
let connections: ReturnType<typeof createWorkerConnection>[]
let producer: Producer<'usage-events'>
let consumer: Consumer
let hold: PromiseWithResolvers<void>
let readBacklog: ReadUsageBacklog
let drainedAt: number
let stuckAfterMs: number

beforeAll(async () => {
  database = await createTestDatabase()
  const connectionString = database.urls['usage-worker']
  store = createPgRpc({ connectionString, max: 2, applicationName: 'test', statementTimeoutMs: 5_000, onError })
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
})
beforeEach(async () => {
  redis = await createTestRedis()
  hold = Promise.withResolvers()
  drainedAt = Date.now()
  stuckAfterMs = STUCK_AFTER_MS
  const adding = createProducerConnection(redis.redisUrl, { onError })
  const working = createWorkerConnection(redis.redisUrl, { onError })
  connections = [adding, working]
  await expect.poll(() => adding.status, patient).toBe('ready')
  producer = createProducer('usage-events', { connection: adding, shards: 1 })
  const commit = async (jobs: UsageEventsText[]): Promise<EventOutcome[][]> => {
    await hold.promise
    return jobs.map(({ count }) => Array.from({ length: count }, () => ({ outcome: 'recorded' })))
  }
  const limits = { maxEvents: 10, maxDelayMs: 1, inFlight: 1 }
  consumer = consumeUsageEvents(commit, limits, { connection: working, shards: 1, onError, concurrency: 1 })
  readBacklog = createBacklogReader(consumer.backlog, store.rpc)
})
afterEach(async () => {
  hold.resolve()
  await consumer.close(5_000)
  await producer.close()
  for (const connection of connections) disconnectAll(connection)
  await admin.query('truncate tollgate.event_inbox')
})
afterAll(async () => {
  await Promise.allSettled([store.close(), admin.end()])
  await database.drop()
})

const isReady = () =>
  Promise.resolve(
    checkProgress({
      readBacklog,
      lastJobAt: consumer.lastProgressAt,
      lastDrainAt: () => drainedAt,
      now: Date.now,
      stuckAfterMs,
    })(AbortSignal.timeout(5_000)),
  ).then(
    () => 'ready',
    (error: Error) => error.message,
  )
const add = (id: string, events: number) =>
  producer.add({ v: 1, events: Array.from({ length: events }, () => event) }, { jobId: sizedJobId(id, events) })
const patient = { timeout: 10_000, interval: 50 }

test('a worker that takes jobs and finishes none is not ready, and is again as soon as it finishes', async () => {
  // Long, until it is to be stuck: a machine that stalls looks the same.
  stuckAfterMs = 60_000
  expect(await isReady()).toBe('ready')
  await add('one', 3)
  await add('two', 4)
  expect(await isReady()).toBe('ready')
  stuckAfterMs = STUCK_AFTER_MS
  await expect.poll(isReady, patient).toMatch(/^queue: the oldest event is/)
  hold.resolve()
  await expect.poll(isReady, patient).toBe('ready')
})

test('idle is not stuck: nothing waits', async () => {
  await expect.poll(() => Date.now() - consumer.lastProgressAt(), patient).toBeGreaterThan(2 * STUCK_AFTER_MS)
  expect(await isReady()).toBe('ready')
})

test('an inbox that nobody empties is noticed as well', async () => {
  await admin.query(`insert into tollgate.event_inbox (events) values ('[{}]')`)
  await expect.poll(isReady, patient).toMatch(/^inbox: the oldest event is/)
  const isReadyOnceDrained = () => {
    drainedAt = Date.now()
    return isReady()
  }
  await expect.poll(isReadyOnceDrained, patient).toBe('ready')
})

test('backlog and lag count Redis and inbox together, jobs under way included', async () => {
  const metrics = createMetrics({ service: 'test' })
  defineBacklogGauges(metrics, readBacklog)
  await add('one', 3)
  await add('two', 4)
  await admin.query(
    `insert into tollgate.event_inbox (events, received_at) values ('[{}, {}]', now() - interval '90 s')`,
  )
  const scrape = () => metrics.registry.metrics()
  await expect.poll(scrape, patient).toMatch(/backlog_events\{place="redis",service="test"\} 7\n/)
  const text = await scrape()
  expect(text).toMatch(/backlog_events\{place="inbox",service="test"\} 2\n/)
  expect(text).toMatch(/oldest_unrecorded_seconds\{service="test"\} 9\d/)
  await admin.query('truncate tollgate.event_inbox')
  hold.resolve()
  await expect.poll(scrape, patient).toMatch(/oldest_unrecorded_seconds\{service="test"\} 0\n/)
})
