import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import type { AcceptedEvent } from '@tollgate/shared/contracts'
import { createMetrics } from '@tollgate/shared/metrics'
import { createPgRpc, type Rpc, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { drainInbox } from '../src/drain-inbox.ts'
import { defineUsageMetrics } from '../src/metrics.ts'
import { countRecorded, forgetRecorded } from './support/count-recorded.ts'
import { makeUsage as usage } from './support/make-usage.ts'

const onError = (): void => undefined
const metrics = defineUsageMetrics(createMetrics({ service: 'test' }))

let database: TestDatabase
let admin: pg.Client
let store: RpcStore

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  store = createPgRpc({
    connectionString: database.urls['usage-worker'],
    max: 2,
    applicationName: 'test',
    statementTimeoutMs: 10_000,
    onError,
  })
})
afterAll(async () => {
  await Promise.allSettled([store.close(), admin.end()])
  await database.drop()
})
beforeEach(() => forgetRecorded(admin))

const counted = () => countRecorded(admin)

test('drains the inbox and buries the one event that cannot be recorded, not its neighbours', async () => {
  const park = (...events: AcceptedEvent[]) => admin.query('select public.park_events($1)', [{ events }])
  await park(usage('a'))
  await park(usage('d'), usage('b', { time: 'no time' }), usage('e'))
  await park(usage('c'), usage('a'))
  await drainInbox({ rpc: store.rpc, metrics, announce: onError, onError })
  expect(await counted()).toEqual({ events: 4, tokens: 44 })
  const { rows } = await admin.query('select queue from tollgate.dead_letters')
  expect(rows).toEqual([{ queue: 'event-inbox' }])
  expect((await admin.query('select from tollgate.event_inbox')).rowCount).toBe(0)
})

test('buries the row that failed, not an older one that another worker let go of meanwhile; each drain is progress', async () => {
  await admin.query('select public.park_events($1)', [{ events: [usage('sound')] }])
  await admin.query('select public.park_events($1)', [{ events: [usage('poison', { time: 'no time' })] }])
  await admin.query('select public.park_events($1)', [{ events: [usage('younger')] }])
  const other = new pg.Client(database.databaseUrl)
  await other.connect()
  await other.query('begin')
  await other.query('select from tollgate.event_inbox order by id limit 1 for update')
  // The older row comes free right after the call that takes one row alone and fails.
  const takesOne = (args: object) => 'max_rows' in args && args.max_rows === 1
  const rpc: Rpc = async (name, args) =>
    store.rpc(name, args).finally(() => (takesOne(args) ? other.query('rollback') : undefined))
  let progress = 0
  const onProgress = () => progress++
  await drainInbox({ rpc, metrics, announce: onError, onError, onProgress })
  await other.end()
  const { rows } = await admin.query(`select payload from tollgate.dead_letters`)
  expect(rows.map(({ payload }) => JSON.parse(payload)[0].id)).toEqual(['poison'])
  expect(await counted()).toEqual({ events: 2, tokens: 22 })
  expect(progress).toBeGreaterThan(1)
})

test('leaves in the inbox what fails for another reason than its content', async () => {
  await admin.query('select public.park_events($1)', [{ events: [usage('a')] }])
  await admin.query('alter function tollgate.roll_up_days rename to roll_up_days_away')
  try {
    await expect(drainInbox({ rpc: store.rpc, metrics, announce: onError, onError })).rejects.toThrow()
  } finally {
    await admin.query('alter function tollgate.roll_up_days_away rename to roll_up_days')
  }
  expect((await admin.query('select from tollgate.dead_letters')).rowCount).toBe(0)
  await drainInbox({ rpc: store.rpc, metrics, announce: onError, onError })
  expect(await counted()).toEqual({ events: 1, tokens: 11 })
})
