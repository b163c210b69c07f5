import { randomUUID } from 'node:crypto'
import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@tollgate/local-stack/testing'
import {
  type AcceptedEvent,
  listEvents,
  type UsageEventsJob,
  unpackOutcomes,
  usageEventsResult,
  writeEvents,
} from '@tollgate/shared/contracts'
import { createMetrics } from '@tollgate/shared/metrics'
import {
  type Consumer,
  createProducer,
  createProducerConnection,
  createResultWaiter,
  createWorkerConnection,
  type DeadLetter,
  disconnectAll,
  type Producer,
  type ResultWaiter,
} from '@tollgate/shared/queues'
import { createPgRpc, type Rpc, type RpcStore, StoreError } from '@tollgate/shared/store'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { commitJobs } from '../src/commit.ts'
import { consumeUsageEvents } from '../src/consume.ts'
import { defineUsageMetrics } from '../src/metrics.ts'
import { countRecorded, forgetRecorded } from './support/count-recorded.ts'
import { makeUsage as usage } from './support/make-usage.ts'

const onError = (): void => undefined
const metrics = defineUsageMetrics(createMetrics({ service: 'test' }))

let database: TestDatabase
let redis: TestRedis
let admin: pg.Client
let store: RpcStore
let connections: Redis[]
let producer: Producer<'usage-events'>
let waiter: ResultWaiter
let consumer: Consumer | undefined
let jobs = 0

beforeAll(async () => {
  database = await createTestDatabase()
  redis = await createTestRedis()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  store = openStore()
  const adding = createProducerConnection(redis.redisUrl, { onError })
  const waiting = createWorkerConnection(redis.redisUrl, { onError })
  connections = [adding, waiting]
  await new Promise((resolve) => adding.once('ready', resolve))
  producer = createProducer('usage-events', { connection: adding, shards: 2 })
  waiter = createResultWaiter('usage-events', { connection: waiting, shards: 2, onError })
})
afterAll(async () => {
  await Promise.allSettled([producer.close(), waiter.close(), store.close(), admin.end()])
  for (const connection of connections) disconnectAll(connection)
  await database.drop()
})
beforeEach(() => forgetRecorded(admin))
afterEach(async () => {
  await consumer?.close(5_000)
  consumer = undefined
})

const openStore = (): RpcStore =>
  createPgRpc({
    connectionString: database.urls['usage-worker'],
    max: 4,
    applicationName: 'test',
    statementTimeoutMs: 10_000,
    onError,
  })

const jobOf = (...events: AcceptedEvent[]): UsageEventsJob => ({ v: 1, events })
type Job = Parameters<typeof producer.add>[0]

function connect(): Redis {
  const connection = createWorkerConnection(redis.redisUrl, { onError })
  connections.push(connection)
  return connection
}

function consume(
  rpc: Rpc,
  announce: (totals: { evaluate: boolean }[]) => void = onError,
  onExhausted: (letter: DeadLetter) => void = onError,
): void {
  consumer = consumeUsageEvents(
    (batch) => commitJobs(batch, { rpc, metrics, announce, now: Date.now }),
    { maxEvents: 1_000, maxDelayMs: 5, inFlight: 2 },
    { connection: connect(), shards: 2, onError, onExhausted },
  )
}

async function add(job: Job, options: { isUrgent?: boolean; shard?: number } = {}): Promise<string> {
  const jobId = `job-${++jobs}`
  await producer.add(job, { jobId, ...options })
  return jobId
}

async function addAndWait(job: Job) {
  const jobId = await add(job)
  return outcomesOf(jobId)
}

async function outcomesOf(jobId: string, shard = 0) {
  const ended = await waiter.waitForResult(jobId, shard, 30_000)
  if (ended.status !== 'completed') return ended
  return { ...ended, result: unpackOutcomes(usageEventsResult.parse(ended.result)) }
}

const counted = () => countRecorded(admin)

describe('the usage worker', () => {
  it('records many jobs and gives each its own outcomes', async () => {
    consume(store.rpc)
    const first = await addAndWait(jobOf(usage('a'), usage('b')))
    expect(first).toEqual({ status: 'completed', result: [{ outcome: 'recorded' }, { outcome: 'recorded' }] })
    const second = await addAndWait(jobOf(usage('b'), usage('c'), usage('c', { input_tokens: 99 })))
    expect(second).toMatchObject({
      result: [
        { outcome: 'duplicate', conflict: false },
        { outcome: 'recorded' },
        { outcome: 'duplicate', conflict: true },
      ],
    })
    expect(await counted()).toEqual({ events: 3, tokens: 33 })
  })

  it('records rows and objects in one transaction, and gives each job the outcomes of its own events', async () => {
    const object = (id: string) => usage(id, { session_id: 'a\nb' })
    const parts = [[object('a')], [usage('b'), usage('a')], [object('b'), object('c')], [usage('d')]].map(writeEvents)
    expect(parts.map(({ form }) => form)).toEqual(['objects', 'rows', 'objects', 'rows'])
    let calls = 0
    const counting: Rpc = (fn, args) => {
      calls++
      return store.rpc(fn, args)
    }
    const outcomes = await commitJobs(parts, { rpc: counting, metrics, announce: onError, now: Date.now })
    const [recorded, duplicate] = [{ outcome: 'recorded' }, { outcome: 'duplicate', conflict: true }]
    // Rows come first in a transaction, whatever job they are of.
    expect(outcomes).toEqual([[duplicate], [recorded, recorded], [duplicate, recorded], [recorded]])
    expect(calls).toBe(1)
    expect(await counted()).toEqual({ events: 4, tokens: 44 })
  })

  it('counts an event once that comes again, with another time, after a restart', async () => {
    consume(store.rpc)
    await addAndWait(jobOf(usage('a')))
    await consumer?.close(5_000)
    const restarted = openStore()
    try {
      consume(restarted.rpc)
      const again = await addAndWait(
        jobOf(usage('a', { time: new Date(Date.now() - 60_000).toISOString() }), usage('b')),
      )
      expect(again).toMatchObject({ result: [{ outcome: 'duplicate', conflict: false }, { outcome: 'recorded' }] })
      expect(await counted()).toEqual({ events: 2, tokens: 22 })
      await consumer?.close(5_000)
    } finally {
      await restarted.close()
    }
  })

  it.each([
    ['rows', '2026-02-30T00:00:00.000Z'],
    ['objects', 'no time'],
  ])('sets a poison event aside and records its 999 neighbours, all of them written as %s', async (form, time) => {
    consume(store.rpc)
    const events = Array.from({ length: 1_000 }, (_, index) => usage(`n${index}`, index === 617 ? { time } : {}))
    expect(writeEvents(events).form).toBe(form)
    const outcome = await addAndWait(jobOf(...events))
    expect(outcome).toMatchObject({ status: 'completed' })
    expect(await counted()).toEqual({ events: 999, tokens: 999 * 11 })
    const { rows } = await admin.query(`select reason, payload::jsonb ->> 'id' as id from tollgate.dead_letters`)
    expect(rows).toEqual([{ reason: 'not_recordable', id: 'n617' }])
  })

  it('keeps a correction of a sealed month as a dead letter, and says why', async () => {
    consume(store.rpc)
    const events = [usage('old', { time: '2023-02-03T00:00:00.000Z', imported: true }), usage('new')]
    await admin.query('select * from public.ingest_usage($1)', [{ events }])
    await admin.query('select public.ensure_usage_partitions()')
    await admin.query('select public.seal_usage_partition(1000)')
    const of = (id: string) =>
      usage(`c-${id}`, { type: 'usage.corrected', revision: 1, corrects: { source: 's', id }, input_tokens: 7 })
    const outcome = await addAndWait(jobOf(of('old'), of('new')))
    expect(outcome).toMatchObject({
      result: [{ outcome: 'rejected', reason: 'month_sealed' }, { outcome: 'recorded' }],
    })
    const { rows } = await admin.query(`select reason, payload::jsonb ->> 'id' as id from tollgate.dead_letters`)
    expect(rows).toEqual([{ reason: 'month_sealed', id: 'c-old' }])
  })

  it('acknowledges nothing while Postgres is away, and counts once when it is back', async () => {
    let isAway = true
    const flaky: Rpc = (fn, args) =>
      isAway ? Promise.reject(new StoreError('away', { code: 'unavailable', retryable: true })) : store.rpc(fn, args)
    consume(flaky)
    const jobId = await add(jobOf(usage('a')))
    expect(await waiter.waitForResult(jobId, 0, 500)).toEqual({ status: 'timeout' })
    isAway = false
    expect(await outcomesOf(jobId)).toMatchObject({ result: [{ outcome: 'recorded' }] })
    expect(await counted()).toEqual({ events: 1, tokens: 11 })
  })

  it('records what is urgent while others of its shard wait, or what is urgent in another one', async () => {
    const other = randomUUID()
    const holder = new pg.Client(database.databaseUrl)
    await holder.connect()
    try {
      await holder.query('begin')
      await holder.query('select * from public.ingest_usage($1)', [{ events: [usage('stuck')] }])
      consume(store.rpc)
      const stuck = await add(jobOf(usage('stuck')))
      expect(await waiter.waitForResult(stuck, 0, 300)).toEqual({ status: 'timeout' })
      const usual = await add(jobOf(usage('usual', { organization_id: other })))
      const urgent = await add(jobOf(usage('urgent', { organization_id: other })), { isUrgent: true })
      expect(await outcomesOf(urgent)).toMatchObject({ result: [{ outcome: 'recorded' }] })
      expect(await waiter.waitForResult(usual, 0, 100)).toEqual({ status: 'timeout' })
      const again = await add(jobOf(usage('stuck')), { isUrgent: true })
      expect(await waiter.waitForResult(again, 0, 300)).toEqual({ status: 'timeout' })
      const elsewhere = await add(jobOf(usage('elsewhere', { organization_id: other })), { isUrgent: true, shard: 1 })
      expect(await outcomesOf(elsewhere, 1)).toMatchObject({ result: [{ outcome: 'recorded' }] })
      expect(await waiter.waitForResult(again, 0, 1)).toEqual({ status: 'timeout' })
      await holder.query('rollback')
      for (const jobId of [stuck, usual, again]) expect(await outcomesOf(jobId)).toMatchObject({ status: 'completed' })
      expect(await counted()).toEqual({ events: 4, tokens: 44 })
    } finally {
      await holder.end()
    }
  })

  it('counts once when the answer of a commit is lost', async () => {
    let isFirst = true
    const lossy: Rpc = async (fn, args) => {
      const rows = await store.rpc(fn, args)
      if (!isFirst) return rows
      isFirst = false
      throw new StoreError('connection lost after COMMIT', { code: 'unavailable', retryable: true })
    }
    consume(lossy)
    expect(await addAndWait(jobOf(usage('a')))).toMatchObject({ result: [{ outcome: 'duplicate', conflict: false }] })
    expect(await counted()).toEqual({ events: 1, tokens: 11 })
  })

  it('makes dead letters of jobs that cannot be read, and goes on', async () => {
    const exhausted: string[] = []
    const raw = new Queue('usage-events-0', { connection: connect(), prefix: '{tollgate-0}' })
    await raw.add('usage-events-0', { v: 7, nonsense: true }, { jobId: 'odd', attempts: 5 })
    await raw.add('usage-events-0', {}, { jobId: 'cut', attempts: 5 })
    await connect().hset('{tollgate-0}:usage-events-0:cut', 'data', '{"v":1,"received_at":"2026')
    consume(store.rpc, onError, ({ data, reason }) => void exhausted.push(`${data} ${reason}`))
    expect(await addAndWait(jobOf(usage('a')))).toMatchObject({ status: 'completed' })
    await expect.poll(() => exhausted.length, { timeout: 10_000 }).toBe(2)
    expect(exhausted[0]).toMatch(/^\{"v":7,"nonsense":true\} unreadable job/)
    expect(exhausted[1]).toMatch(/^\{"v":1,"received_at":"2026 unreadable job/)
    await raw.close()
  })

  it('sets written events aside that Postgres cannot read, and records their neighbours', async () => {
    consume(store.rpc)
    const written = writeEvents([usage('a')])
    const [first = '', second = ''] = [written.text, written.text].map((text, at) => text.replace('s,a', `s,a${at}`))
    const texts = [first.replace(/\d{4}-\d\d/, '2026-99'), second.replace(/T\d\d/, 'T99')]
    const sent = await Promise.all([...texts.map((text) => add({ ...written, text })), add(writeEvents([usage('b')]))])
    const results = await Promise.all(sent.map((jobId) => outcomesOf(jobId)))
    expect(results.pop()).toMatchObject({ result: [{ outcome: 'recorded' }] })
    for (const other of results) expect(other).toMatchObject({ result: [{ outcome: 'rejected' }] })
    expect(await counted()).toEqual({ events: 1, tokens: 11 })
    const { rows } = await admin.query(
      `select payload::jsonb as event from tollgate.dead_letters order by payload::jsonb ->> 'id'`,
    )
    expect(rows.map(({ event }) => event)).toEqual(texts.flatMap((text) => listEvents({ ...written, text })))
    expect(rows.map(({ event }) => event.id)).toEqual(['a0', 'a1'])
  })

  it('announces the organizations whose total passed evaluate_at', async () => {
    const announced: boolean[] = []
    consume(store.rpc, (totals) => announced.push(...totals.map((total) => total.evaluate)))
    await addAndWait(jobOf(usage('a')))
    await admin.query('update tollgate.period_totals set evaluate_at = 1000')
    await addAndWait(jobOf(usage('b')))
    expect(announced).toEqual([true, false])
  })
})
