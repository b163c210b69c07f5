import { randomUUID } from 'node:crypto'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startProxy } from '../../../infra/local-stack/src/tcp-proxy.ts'
import { createLogger } from '../src/logging/index.ts'
import {
  createProducer,
  createProducerConnection,
  createWorkerConnection,
  disconnectAll,
  QueueError,
  readAppendFsync,
  requireNoEviction,
} from '../src/queues/index.ts'
import { prepareRedis, type RedisServer } from './redis-server.ts'

const TIMEOUT_MS = 500
let redis: RedisServer
let toClose: (() => unknown)[]

beforeEach(async () => {
  redis = await prepareRedis()
  toClose = [() => redis.remove()]
})
afterEach(async () => {
  for (const close of toClose.reverse()) await close()
})

function connectProducer(url: string): Redis {
  const connection = createProducerConnection(url, { onError: () => undefined })
  toClose.push(() => disconnectAll(connection))
  return connection
}

function makeProducer(connection: Redis) {
  const producer = createProducer('quota-evaluations', { connection, shards: 4, timeoutMs: TIMEOUT_MS })
  const add = (jobId: string = randomUUID()) =>
    producer.add({ v: 1, organization_id: 'acme', reason: 'usage' }, { jobId })
  return { producer, add }
}

async function countJobs(): Promise<number> {
  const connection = createWorkerConnection(redis.url, { onError: () => undefined })
  const queue = new Queue('quota-evaluations', { connection, prefix: '{tollgate}', skipMetasUpdate: true })
  const count = await queue.getJobCountByTypes('wait')
  await queue.close()
  disconnectAll(connection)
  return count
}

async function codeOf(adding: Promise<unknown>): Promise<string> {
  const error = await adding.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof QueueError ? error.code : `not refused: ${error}`
}

async function timed<T>(work: Promise<T>): Promise<{ ms: number; value: T }> {
  const begin = performance.now()
  const value = await work
  return { ms: performance.now() - begin, value }
}

const recovered = { timeout: 10_000, interval: 50 }

describe('producer', () => {
  test('adds fail fast while Redis is away and work again without a restart', async () => {
    const { add } = makeProducer(connectProducer(redis.url))
    for (let i = 0; i < 3; i++) {
      const { ms, value } = await timed(codeOf(add()))
      expect(value).toBe('unavailable')
      expect(ms).toBeLessThan(TIMEOUT_MS + 100)
    }
    await redis.start()
    await expect.poll(() => codeOf(add('first')), recovered).toMatch(/^not refused: undefined/)
    for (let round = 0; round < 2; round++) {
      await redis.kill()
      const { ms, value } = await timed(codeOf(add()))
      expect(['unavailable', 'ambiguous']).toContain(value)
      expect(ms).toBeLessThan(TIMEOUT_MS + 100)
      await redis.start()
      await expect.poll(() => codeOf(add(`round-${round}`)), recovered).toMatch(/^not refused: undefined/)
    }
    expect(await countJobs()).toBe(3)
  })

  test('a start that gets no answer is given up, and the next add starts anew', async () => {
    await redis.start()
    const proxy = await startProxy(redis.port)
    toClose.push(() => proxy.close())
    const connection = connectProducer(`redis://127.0.0.1:${proxy.port}`)
    const { add } = makeProducer(connection)
    await expect.poll(() => connection.status, recovered).toBe('ready')
    proxy.mode = 'swallow'
    const { ms, value } = await timed(codeOf(add()))
    expect([value, ms < TIMEOUT_MS + 100]).toEqual(['unavailable', true])
    proxy.mode = 'cut'
    expect(await codeOf(add())).toBe('unavailable')
    proxy.mode = 'pass'
    await expect.poll(() => codeOf(add()), recovered).toMatch(/^not refused: undefined/)
  })

  test('an add whose reply is lost is ambiguous, and repeating it makes no second job', async () => {
    await redis.start()
    const proxy = await startProxy(redis.port)
    toClose.push(() => proxy.close())
    const { add } = makeProducer(connectProducer(`redis://127.0.0.1:${proxy.port}`))
    await expect.poll(() => codeOf(add('warm-up')), recovered).toMatch(/^not refused: undefined/)
    proxy.mode = 'cut'
    const ids = Array.from({ length: 20 }, (_, index) => `job-${index}`)
    const codes = await Promise.all(ids.map((id) => codeOf(add(id))))
    expect(new Set(codes)).toEqual(new Set(['ambiguous']))
    proxy.mode = 'pass'
    for (const id of ids) await expect.poll(() => codeOf(add(id)), recovered).toMatch(/^not refused: undefined/)
    expect(await countJobs()).toBe(21)
  })

  test('what does not fit the schema is refused before it is sent', async () => {
    const { producer } = makeProducer(connectProducer(redis.url))
    const wrong = { v: 1, organization_id: 'acme', reason: 'whim' } as unknown as Parameters<typeof producer.add>[0]
    expect(await codeOf(producer.add(wrong, { jobId: 'x' }))).toBe('invalid')
    expect(await codeOf(producer.add({ v: 1, organization_id: 'a', reason: 'usage' }, { jobId: 'a:b' }))).toBe(
      'invalid',
    )
  })
})

describe('a subscriber', () => {
  test('is subscribed by its own listener alone: a connection that breaks meanwhile leaves no rejection to nobody', async () => {
    await redis.start()
    const proxy = await startProxy(redis.port)
    const escaped: unknown[] = []
    const onEscape = (error: unknown) => void escaped.push(error)
    process.on('unhandledRejection', onEscape)
    toClose.push(
      () => process.off('unhandledRejection', onEscape),
      () => proxy.close(),
    )
    const subscriber = connectProducer(`redis://127.0.0.1:${proxy.port}`)
    let [times, cuts] = [0, 0]
    subscriber.on('close', () => {
      proxy.mode = 'pass'
    })
    subscriber.on('ready', () => {
      // Instead of its answer the first subscription anew, and the one after it, get an end of the connection.
      if (times > 0 && cuts++ < 2) proxy.mode = 'cut'
      void subscriber.subscribe('news').then(
        () => times++,
        () => undefined,
      )
    })
    await expect.poll(() => times, recovered).toBe(1)
    subscriber.disconnect(true)
    await expect.poll(() => times, recovered).toBe(2)
    expect(cuts).toBe(3)
    expect(escaped).toEqual([])
  })
})

describe('settings of the server', () => {
  test('a Redis that evicts is refused; durability is read', async () => {
    await redis.start()
    const connection = createWorkerConnection(redis.url, { onError: () => undefined })
    toClose.push(() => disconnectAll(connection))
    expect(await requireNoEviction(connection)).toBe('noeviction')
    expect(await readAppendFsync(connection)).toBe('always')
    await connection.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await expect(requireNoEviction(connection)).rejects.toThrow(/allkeys-lru/)
  })

  test('a managed Redis that forbids CONFIG is judged by INFO, and else unknown', async () => {
    await redis.start()
    const admin = createWorkerConnection(redis.url, { onError: () => undefined })
    toClose.push(() => disconnectAll(admin))
    await admin.call('ACL', 'SETUSER', 'managed', 'on', '>pw', '~*', '&*', '+@all', '-config')
    const connection = createWorkerConnection(`redis://managed:pw@127.0.0.1:${redis.port}`, {
      onError: () => undefined,
    })
    toClose.push(() => disconnectAll(connection))
    expect(await requireNoEviction(connection)).toBe('noeviction')
    expect(await readAppendFsync(connection)).toBe('unknown')
  })
})

test.each([createProducerConnection, createWorkerConnection])(
  'a password that Redis does not take stands in no log: %o',
  async (connectTo) => {
    await redis.start()
    const admin = connectProducer(redis.url)
    await vi.waitFor(() => admin.config('SET', 'requirepass', 'the-one-in-force'), 5_000)
    const lines: string[] = []
    const logger = createLogger({ service: 'test', level: 'trace', destination: { write: (line) => lines.push(line) } })
    const url = new URL(redis.url)
    url.password = 'the-one-before-it'
    const connection = connectTo(url.href, { onError: (err) => logger.warn({ err }, 'away') })
    toClose.push(() => disconnectAll(connection))
    await vi.waitFor(() => expect(lines.join()).toContain('WRONGPASS'), 5_000)
    expect(lines.join()).not.toContain(url.password)
    expect(lines.join()).toMatch(/"command":"(?:hello|auth)"/i)
  },
)
