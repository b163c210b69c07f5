import { randomUUID } from 'node:crypto'
import { createTestDatabase, createTestRedis, type TestDatabase } from '@tollgate/local-stack/testing'
import { parseEnv } from '@tollgate/shared/config'
import type { Phases } from '@tollgate/shared/lifecycle'
import { createLogger } from '@tollgate/shared/logging'
import { createProducer, createProducerConnection } from '@tollgate/shared/queues'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { usageWorkerEnv } from '../src/config.ts'
import { startUsageWorker } from '../src/start.ts'

const WORKERS = 6
const LIMIT = 5 // each worker would open up to six
const JOBS = 60
const patient = { timeout: 60_000, interval: 50 }

let database: TestDatabase
let redisUrl: string
let admin: pg.Client
const running: (() => Promise<void>)[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  redisUrl = (await createTestRedis()).redisUrl
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((stop) => stop()))
})
afterAll(async () => {
  await admin.end()
  await database.drop()
})

/** Starts a worker as `main.ts` does, in this process. */
async function start(): Promise<() => Promise<void>> {
  const steps: { stage: string; run: () => unknown }[] = []
  const phases: Phases = { add: (stage, _name, _timeoutMs, run) => void steps.push({ stage, run }) }
  const stopping = new AbortController()
  const settings = { MAX_WORKER_CONNECTIONS: String(LIMIT), SHARDS: '1', BATCH_MAX_EVENTS: '10' }
  const servers = { REDIS_URL: redisUrl, DATABASE_URL: database.urls['usage-worker'] }
  await startUsageWorker({
    config: parseEnv(usageWorkerEnv, { ...servers, ...settings }),
    logger: createLogger({ service: 'usage-worker', level: 'silent' }),
    now: Date.now,
    newId: randomUUID,
    phases,
    stopping: stopping.signal,
  })
  const stop = async () => {
    stopping.abort()
    for (const { run } of steps.filter(({ stage }) => stage === 'drain')) await run()
    for (const { run } of steps.filter(({ stage }) => stage === 'close').reverse()) await run()
  }
  running.push(stop)
  return stop
}

async function addJobs(name: string): Promise<void> {
  const connection = createProducerConnection(redisUrl, { onError: () => undefined })
  await expect.poll(() => connection.status, patient).toBe('ready')
  const producer = createProducer('usage-events', { connection, shards: 4 })
  for (let job = 0; job < JOBS; job++) {
    const at = new Date().toISOString()
    const envelope = { source: name, id: String(job), time: at, received_at: at, member: true }
    const whom = { organization_id: randomUUID(), user_id: randomUUID(), session_id: 'c', model: 'gpt-4o' }
    const event = { type: 'usage.recorded', ...envelope, ...whom, input_tokens: 1, output_tokens: 1 } as const
    // Those that wait in shards of an earlier setting are recorded too.
    await producer.add({ v: 1, events: [event] }, { jobId: `${name}-${job}`, shard: job % 4 })
  }
  await producer.close()
  connection.disconnect()
}

const recorded = async (source: string): Promise<number> =>
  (await admin.query('select count(*)::int as n from tollgate.usage_events where source = $1', [source])).rows[0].n
const slotsTaken = async (): Promise<number> =>
  (
    await admin.query(`select count(*)::int as n from pg_locks where locktype = 'advisory' and classid = 7410001
      and database = (select oid from pg_database where datname = current_database())`)
  ).rows[0].n
// Those that have called a function of ours; one that is being refused has not.
const atWork = async (): Promise<number> =>
  (
    await admin.query(`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and application_name = 'tollgate-usage-worker' and query like '%public.%'`)
  ).rows[0].n

test(`${WORKERS} workers have ${LIMIT} connections together, record everything, and stand in for each other`, async () => {
  await Promise.all(Array.from({ length: WORKERS }, start))
  const seen: number[] = []
  await addJobs('first')
  await expect
    .poll(async () => {
      seen.push(await atWork(), await slotsTaken())
      return recorded('first')
    }, patient)
    .toBe(JOBS)
  expect(Math.max(...seen)).toBeLessThanOrEqual(LIMIT)
  expect(Math.max(...seen)).toBeGreaterThan(1)

  // Half of them leave, whoever was at work; the others take their places.
  await Promise.all(running.splice(0, WORKERS / 2).map((stop) => stop()))
  await addJobs('second')
  await expect.poll(() => recorded('second'), patient).toBe(JOBS)
  expect(await slotsTaken()).toBeLessThanOrEqual(LIMIT)
})
