import { randomUUID } from 'node:crypto'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { createProducerConnection } from '@tollgate/shared/queues'
import { createPgRpc, type RpcStore } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
// By its path: a Redis of the test's own, whose files it may exchange.
import { prepareRedis, type RedisServer } from '../../../packages/shared/test/redis-server.ts'
import { lookAtRedis } from '../src/watch-redis.ts'

const onError = (): void => undefined
let server: RedisServer
let database: TestDatabase
let store: RpcStore
let redis: Redis
let admin: pg.Client

beforeAll(async () => {
  server = await prepareRedis()
  await server.start()
  database = await createTestDatabase()
  const connectionString = database.urls['usage-worker']
  const options = { connectionString, max: 8, applicationName: 'test', statementTimeoutMs: 5_000, onError }
  store = createPgRpc(options)
  redis = createProducerConnection(server.url, { onError })
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
})
afterAll(async () => {
  redis.disconnect()
  await Promise.allSettled([store.close(), admin.end()])
  await database.drop()
  await server.remove()
})
beforeEach(async () => {
  await admin.query('truncate tollgate.redis_marks')
  await untilReady()
  await redis.flushall()
})

const look = () => lookAtRedis({ redis, rpc: store.rpc, newId: randomUUID })
const looks = (count: number) => Promise.all(Array.from({ length: count }, look))
const untilReady = () => expect.poll(() => redis.ping().catch(() => 'away'), { timeout: 10_000 }).toBe('PONG')

test('a Redis that keeps what it has only advances, however many workers look at it', async () => {
  expect(await look()).toBe('first')
  for (let round = 0; round < 5; round++) expect(new Set(await looks(20))).toEqual(new Set(['advanced']))
})

test('a restart that loses nothing is no loss', async () => {
  await look()
  await look()
  await server.kill()
  await expect(look()).rejects.toThrow()
  await server.start()
  await untilReady()
  expect(await look()).toBe('advanced')
})

test('a wiped Redis is noticed each time, once among all workers', async () => {
  await look()
  for (let round = 0; round < 3; round++) {
    await look()
    await redis.flushall()
    const verdicts = [...(await looks(10)), ...(await looks(10))]
    expect(verdicts.filter((verdict) => verdict === 'lost')).toHaveLength(1)
    expect(await look()).toBe('advanced')
  }
})

test('an older append-only file is noticed once, whoever looks', async () => {
  await look()
  await look()
  const copy = await mkdtemp(join(tmpdir(), 'tollgate-aof-'))
  await cp(server.directory, copy, { recursive: true })
  for (let beat = 0; beat < 3; beat++) await look()
  await server.kill()
  await rm(server.directory, { recursive: true })
  await cp(copy, server.directory, { recursive: true })
  await rm(copy, { recursive: true })
  await server.start()
  await untilReady()
  const verdicts = [...(await looks(10)), ...(await looks(10))]
  expect(verdicts.filter((verdict) => verdict === 'lost')).toHaveLength(1)
  expect(await look()).toBe('advanced')
})

test('another Redis in its place is noticed', async () => {
  await look()
  await redis.hset('{tollgate}:epoch', { epoch: randomUUID(), mark: '900' })
  expect(await look()).toBe('lost')
  expect(await look()).toBe('advanced')
})
