import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startProxy, type TcpProxy } from '@tollgate/local-stack'
import { createTestDatabase, createTestRedis, type TestDatabase } from '@tollgate/local-stack/testing'
import type { AcceptedEvent } from '@tollgate/shared/contracts'
import { createMetrics } from '@tollgate/shared/metrics'
import {
  type Consumer,
  createProducer,
  createProducerConnection,
  createWorkerConnection,
  disconnectAll,
  type Producer,
} from '@tollgate/shared/queues'
import { createPgRpc } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { commitJobs } from '../src/commit.ts'
import { consumeUsageEvents } from '../src/consume.ts'
import { defineUsageMetrics } from '../src/metrics.ts'

const JOBS = 20
const CUTS = 4
const EVENTS_EACH = 50
const onError = (): void => undefined
const metrics = defineUsageMetrics(createMetrics({ service: 'test' }))
const patient = { timeout: 60_000, interval: 100 }

let database: TestDatabase
let admin: pg.Client
let redisUrl: string
let producer: Producer<'usage-events'>
let adding: ReturnType<typeof createProducerConnection>
const toClose: (() => unknown)[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
})
beforeEach(async () => {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, public.chat_sessions, tollgate.period_totals`)
  redisUrl = (await createTestRedis()).redisUrl
  adding = createProducerConnection(redisUrl, { onError })
  await expect.poll(() => adding.status, patient).toBe('ready')
  producer = createProducer('usage-events', { connection: adding, shards: 1 })
})
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
  await producer.close()
  adding.disconnect()
})
afterAll(async () => {
  await admin.end()
  await database.drop()
})

async function addJobs(from = 0, to = JOBS): Promise<void> {
  for (let job = from; job < to; job++) {
    const events = Array.from({ length: EVENTS_EACH }, (_, index) => usage(`${job}-${index}`))
    await producer.add({ v: 1, events }, { jobId: `job-${job}` })
  }
}

function usage(id: string): AcceptedEvent {
  const now = new Date().toISOString()
  const none = { cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_output_tokens: 0 }
  return {
    ...{ type: 'usage.recorded', source: 's', id, time: now, received_at: now, member: true },
    organization_id: '00000000-0000-4000-8000-000000000001',
    user_id: '00000000-0000-4000-8000-0000000000a1',
    ...{ session_id: 'c', model: 'gpt-4o', input_tokens: 10, output_tokens: 1, message_count: 1, ...none },
  }
}

/** A worker in this process, with the same short lock. */
function consume(connectionString: string): Consumer {
  const options = { connectionString, max: 3, applicationName: 'second', statementTimeoutMs: 60_000, onError }
  const store = createPgRpc(options)
  const connection = createWorkerConnection(redisUrl, { onError })
  const consumer = consumeUsageEvents(
    (jobs) => commitJobs(jobs, { rpc: store.rpc, metrics, announce: onError, now: Date.now }),
    { maxEvents: 200, maxDelayMs: 5, inFlight: 2 },
    { connection, shards: 1, onError, lockMs: 1_500, stalledCheckMs: 500 },
  )
  toClose.push(async () => {
    await consumer.close(5_000)
    disconnectAll(connection)
    await store.close()
  })
  return consumer
}

async function startZombie(): Promise<ChildProcess> {
  const file = join(import.meta.dirname, 'fixtures/zombie-worker.ts')
  const child = spawn(process.execPath, [file, redisUrl, database.urls['usage-worker']], { stdio: 'pipe' })
  toClose.push(async () => {
    child.kill('SIGKILL')
    // What it had sent goes on in Postgres for a while, and must not reach into the next test.
    await expect.poll(async () => (await admin.query(BACKENDS, ['zombie'])).rowCount, patient).toBe(0)
  })
  await once(child.stdout, 'data')
  return child
}

const counted = async () =>
  (
    await admin.query(`select (select count(*)::int from tollgate.usage_events) as ledger,
      (select coalesce(sum(tokens_used), 0)::int from public.usage_metrics) as tokens,
      (select coalesce(sum(total_tokens), 0)::int from public.chat_sessions) as sessions,
      (select coalesce(sum(used_tokens), 0)::int from tollgate.period_totals) as period`)
  ).rows[0]
const all = JOBS * EVENTS_EACH
const exact = { ledger: all, tokens: all * 11, sessions: all * 11, period: all * 11 }
const BACKENDS = 'select from pg_stat_activity where application_name = $1 and datname = current_database()'
const WAITING = `select count(*)::int as n from pg_stat_activity
  where application_name = $1 and wait_event_type = 'Lock' and datname = current_database()`
const waitingOnLocks = async (name: string): Promise<number> => (await admin.query(WAITING, [name])).rows[0].n

test('a worker that is stopped past its lock, and then goes on beside the second one, counts nothing twice', async () => {
  const blocker = new pg.Client(database.databaseUrl)
  await blocker.connect()
  toClose.push(() => blocker.end())
  // The first worker takes the jobs, and its transactions are held up in Postgres.
  await blocker.query('begin; lock table tollgate.usage_event_identities in share mode')
  const zombie = await startZombie()
  await addJobs()
  await expect.poll(() => waitingOnLocks('zombie'), patient).toBeGreaterThan(0)
  zombie.kill('SIGSTOP')
  const second = consume(database.urls['usage-worker'])
  // Its lock has run out: the second one has the jobs as well.
  await expect.poll(async () => (await second.backlog()).active, patient).toBeGreaterThan(0)
  await expect.poll(() => waitingOnLocks('second'), patient).toBeGreaterThan(0)
  zombie.kill('SIGCONT')
  await blocker.query('commit')
  await expect.poll(counted, patient).toEqual(exact)
  await expect.poll(() => second.backlog(), patient).toMatchObject({ waiting: 0, active: 0, failed: 0 })
  expect(await counted()).toEqual(exact)
})

test('replies of Postgres that are cut off after the commit, again and again, count nothing twice', async () => {
  const target = new URL(database.urls['usage-worker'])
  const proxy: TcpProxy = await startProxy(Number(target.port))
  toClose.push(() => proxy.close())
  target.port = String(proxy.port)
  const { retries } = await readRetries()
  const consumer = consume(target.toString())
  const blocker = new pg.Client(database.databaseUrl)
  await blocker.connect()
  toClose.push(() => blocker.end())
  for (let round = 1; round <= CUTS; round++) {
    // The statements have been sent and wait in Postgres, so that it is their own replies that are cut off.
    await blocker.query('begin; lock table tollgate.usage_event_identities in share mode')
    await addJobs((JOBS * (round - 1)) / CUTS, (JOBS * round) / CUTS)
    await expect.poll(() => waitingOnLocks('second'), patient).toBeGreaterThan(0)
    proxy.mode = 'cut'
    const before = (await counted()).ledger
    await blocker.query('commit')
    await expect.poll(async () => (await counted()).ledger, patient).toBeGreaterThan(before)
    proxy.mode = 'pass'
    await expect.poll(() => consumer.backlog(), patient).toMatchObject({ waiting: 0, active: 0 })
  }
  const { retries: after } = await readRetries()
  expect(after - retries).toBeGreaterThanOrEqual(CUTS)
  expect(await consumer.backlog()).toMatchObject({ waiting: 0, active: 0, failed: 0 })
  expect(await counted()).toEqual(exact)
})

async function readRetries(): Promise<{ retries: number }> {
  const { values } = await metrics.retries.get()
  return { retries: values.reduce((sum, { value }) => sum + value, 0) }
}
