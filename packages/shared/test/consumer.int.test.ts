import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type ConsumerOptions,
  createConsumer,
  createProducer,
  createProducerConnection,
  createResultWaiter,
  createWorkerConnection,
  type DeadLetter,
  DeadLetterError,
  disconnectAll,
  type JobHandler,
  shardOf,
} from '../src/queues/index.ts'
import { prepareRedis, type RedisServer } from './redis-server.ts'

const SHARDS = 2
const patient = { timeout: 15_000, interval: 25 }
let redis: RedisServer
let toClose: (() => unknown)[]

beforeEach(async () => {
  redis = await prepareRedis()
  toClose = [() => redis.remove()]
  await redis.start()
})
afterEach(async () => {
  for (const close of toClose.reverse()) await close()
})

function workerConnection(): Redis {
  const connection = createWorkerConnection(redis.url, { onError: () => undefined })
  toClose.push(() => disconnectAll(connection))
  return connection
}

async function producerOf<N extends 'usage-events' | 'quota-evaluations'>(name: N) {
  const connection = createProducerConnection(redis.url, { onError: () => undefined })
  toClose.push(() => disconnectAll(connection))
  await expect.poll(() => connection.status, patient).toBe('ready')
  return createProducer(name, { connection, shards: SHARDS })
}

function consume(handler: JobHandler<'quota-evaluations'>, options: Partial<ConsumerOptions> = {}) {
  const connection = workerConnection()
  const base = { connection, shards: SHARDS, onError: () => undefined, lockMs: 600, stalledCheckMs: 200 }
  const consumer = createConsumer('quota-evaluations', handler, { ...base, ...options })
  toClose.push(() => consumer.close(1_000))
  return { consumer, connection }
}

const evaluation = (organization_id: string) => ({ v: 1 as const, organization_id, reason: 'usage' as const })

function usage(organizationId: string, id: string) {
  const user = { organization_id: organizationId, user_id: randomUUID(), session_id: 's', model: 'gpt-4o' }
  const counts = { input_tokens: 3, output_tokens: 1, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 }
  const envelope = {
    source: 'test',
    id,
    time: '2026-11-23T10:00:00Z',
    received_at: '2026-11-23T10:00:00Z',
    member: true,
  }
  return {
    type: 'usage.recorded' as const,
    ...envelope,
    ...user,
    ...counts,
    reasoning_output_tokens: 0,
    message_count: 1,
  }
}

test('jobs of all shards are handled, and their results come back to who waits', async () => {
  const producer = await producerOf('usage-events')
  const connection = workerConnection()
  const options = { connection, shards: SHARDS, onError: () => undefined }
  const consumer = createConsumer('usage-events', async ({ count }, { shard }) => ({ shard, count }), options)
  toClose.push(() => consumer.close(1_000))
  const waiter = createResultWaiter('usage-events', options)
  toClose.push(() => waiter.close())
  const organizations = Array.from({ length: 20 }, () => randomUUID())
  expect(new Set(organizations.map((id) => shardOf(id, SHARDS))).size).toBe(SHARDS)
  const outcomes = organizations.map(async (id) => {
    const shard = shardOf(id, SHARDS)
    const waiting = waiter.waitForResult(id, shard, 10_000)
    await producer.add({ v: 1, events: [usage(id, 'a'), usage(id, 'b')] }, { jobId: id, shard })
    expect(await waiting).toEqual({ status: 'completed', result: { shard, count: 2 } })
    // The job has ended long ago: found by looking it up.
    expect(await waiter.waitForResult(id, shard, 10_000)).toMatchObject({ status: 'completed' })
  })
  await Promise.all(outcomes)
  expect(await consumer.backlog()).toEqual({ waiting: 0, active: 0, failed: 0, items: 0, oldestMs: 0 })
})

test('an urgent job is handled before those that wait, and hides not how long the oldest has waited', async () => {
  const producer = await producerOf('usage-events')
  const start = Promise.withResolvers<void>()
  const handled: [id: string, isUrgent: boolean][] = []
  const options = { connection: workerConnection(), shards: SHARDS, onError: () => undefined, concurrency: 1 }
  const handler: JobHandler<'usage-events'> = async (_data, { jobId, isUrgent }) => handled.push([jobId, isUrgent])
  const consumer = createConsumer('usage-events', handler, { ...options, startWhen: start.promise })
  toClose.push(() => consumer.close(1_000))
  const add = (jobId: string, isUrgent: boolean) =>
    producer.add({ v: 1, events: [usage(randomUUID(), jobId)] }, { jobId, shard: 0, isUrgent })
  await add('first', false)
  await delay(50)
  const laterMs = Date.now()
  await add('second', false)
  for (const jobId of ['urgent-1', 'urgent-2', 'urgent-3']) await add(jobId, true)
  expect((await consumer.backlog()).waiting).toBe(5)
  // Of "first", since all others came later than that; read again when the machine stalled between reading and comparing.
  const isOfFirst = async () => (await consumer.backlog()).oldestMs > Date.now() - laterMs
  await expect.poll(isOfFirst, patient).toBe(true)
  start.resolve()
  await expect.poll(() => handled.length, patient).toBe(5)
  expect(handled.slice(0, 3).every(([, isUrgent]) => isUrgent)).toBe(true)
  expect(handled.slice(3)).toEqual([
    ['first', false],
    ['second', false],
  ])
})

test('a wake-up during an evaluation is not lost, and waiting ones are merged', async () => {
  const producer = await producerOf('quota-evaluations')
  const hold = Promise.withResolvers<void>()
  const handled: string[] = []
  consume(async ({ organization_id }, { jobId }) => {
    handled.push(jobId)
    if (handled.length === 1) await hold.promise
    return organization_id
  })
  const wake = (jobId: string) =>
    producer.add(evaluation('acme'), { jobId, deduplication: { id: 'acme', keepLastIfActive: true } })
  await wake('wake-1')
  await expect.poll(() => handled, patient).toEqual(['wake-1'])
  for (const id of ['wake-2', 'wake-3', 'wake-4']) await wake(id)
  await delay(100)
  expect(handled).toEqual(['wake-1'])
  hold.resolve()
  await expect.poll(() => handled, patient).toEqual(['wake-1', 'wake-4'])
})

test('what fails is tried again; what cannot succeed becomes a dead letter at once', async () => {
  const producer = await producerOf('quota-evaluations')
  const letters: DeadLetter[] = []
  const attempts: number[] = []
  const { consumer } = consume(
    async ({ organization_id }, { attempt }) => {
      if (organization_id === 'poison') throw new DeadLetterError('no such organization')
      attempts.push(attempt)
      if (attempt < 3) throw new Error('not yet')
    },
    { onExhausted: (letter) => void letters.push(letter) },
  )
  await producer.add(evaluation('acme'), { jobId: 'flaky' })
  await producer.add(evaluation('poison'), { jobId: 'poison' })
  await expect.poll(() => attempts, patient).toEqual([1, 2, 3])
  await expect.poll(() => letters, patient).toHaveLength(1)
  expect(letters[0]).toMatchObject({ jobId: 'poison', reason: 'no such organization', attempts: 1 })
  await expect.poll(() => consumer.backlog(), patient).toMatchObject({ failed: 1, waiting: 0 })
})

test('the job of a worker that died is handled by another, however many die', async () => {
  const producer = await producerOf('quota-evaluations')
  let deaths = 0
  for (let round = 0; round < 3; round++) {
    const { connection } = consume(() => {
      deaths++
      return new Promise(() => undefined)
    })
    if (round === 0) await producer.add(evaluation('acme'), { jobId: 'survivor' })
    await expect.poll(() => deaths, patient).toBe(round + 1)
    // Cutting all connections is what a SIGKILL looks like from Redis.
    disconnectAll(connection)
  }
  const handled: string[] = []
  consume(async (_, { jobId }) => void handled.push(jobId))
  await expect.poll(() => handled, patient).toEqual(['survivor'])
}, 60_000)

test('a killed and restarted Redis is survived on both sides', async () => {
  const producer = await producerOf('quota-evaluations')
  const handled = new Set<string>()
  const { consumer } = consume(async (_, { jobId }) => void handled.add(jobId))
  const add = (jobId: string) =>
    producer.add(evaluation('acme'), { jobId }).then(
      () => true,
      () => false,
    )
  for (let round = 0; round < 3; round++) {
    await expect.poll(() => add(`before-${round}`), patient).toBe(true)
    await redis.kill()
    await redis.start()
    await expect.poll(() => add(`after-${round}`), patient).toBe(true)
    await expect.poll(() => handled.has(`after-${round}`), patient).toBe(true)
  }
  await expect.poll(() => handled.size, patient).toBe(6)
  expect(Date.now() - consumer.lastProgressAt()).toBeLessThan(5_000)
}, 60_000)

test('closing waits for the job under way, but not for ever, nor for a Redis that is away', async () => {
  const producer = await producerOf('quota-evaluations')
  const hold = Promise.withResolvers<void>()
  let begun = 0
  const { consumer } = consume(() => {
    begun++
    return hold.promise
  })
  await producer.add(evaluation('acme'), { jobId: 'held' })
  await expect.poll(() => begun, patient).toBe(1)
  const closing = consumer.close(5_000)
  await delay(50)
  hold.resolve()
  expect(await closing).toBe('drained')

  const stuck = consume(() => new Promise(() => undefined)).consumer
  await redis.kill()
  const begin = performance.now()
  expect(await stuck.close(300)).toBe('abandoned')
  expect(performance.now() - begin).toBeLessThan(600)
})

test('a wait that takes too long, or whose Redis goes away, ends in time', async () => {
  const connection = workerConnection()
  const waiter = createResultWaiter('usage-events', { connection, shards: SHARDS, onError: () => undefined })
  toClose.push(() => waiter.close())
  expect(await waiter.waitForResult('unknown', 0, 100)).toEqual({ status: 'timeout' })
  await redis.kill()
  expect(await waiter.waitForResult('unknown', 0, 300)).toEqual({ status: 'timeout' })
})

test('events are read while somebody waits for a result, and no longer', async () => {
  const producer = await producerOf('quota-evaluations')
  consume(async () => 'done')
  const connection = workerConnection()
  const waiter = createResultWaiter('quota-evaluations', {
    connection,
    shards: SHARDS,
    onError: (error) => expect.fail(String(error)),
    idleMs: 50,
  })
  toClose.push(() => waiter.close())
  const readers = async () => String(await connection.client('LIST')).match(/cmd=xread/gi)?.length ?? 0
  expect(await readers()).toBe(0)
  for (const jobId of [randomUUID(), randomUUID()]) {
    const waiting = waiter.waitForResult(jobId, 0, 10_000)
    await expect.poll(readers, patient).toBe(1)
    await producer.add(evaluation('a'), { jobId })
    expect(await waiting).toEqual({ status: 'completed', result: 'done' })
    await expect.poll(readers, patient).toBe(0)
  }
})
