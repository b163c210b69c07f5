import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@tollgate/local-stack/testing'
import { CONTROL_FIELD } from '@tollgate/shared/contracts'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { runCli } from './run-cli.ts'

let database: TestDatabase
let testRedis: TestRedis
let admin: pg.Client
let redis: Redis

beforeAll(async () => {
  ;[database, testRedis] = await Promise.all([createTestDatabase(), createTestRedis()])
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  redis = new Redis(testRedis.redisUrl)
})
afterAll(async () => {
  redis.disconnect()
  await admin.end()
  await database.drop()
})

const run = (args: readonly string[], redisUrl = testRedis.redisUrl) => {
  const env = { REDIS_URL: redisUrl, REDIS_NAMESPACE: testRedis.prefix }
  return runCli(['enforcement', ...args, '--json'], { databaseUrl: database.databaseUrl, env })
}
const isPaused = async () => (await admin.query('select paused from tollgate.enforcement_control')).rows[0].paused

test('pause tells the gates at once, is a decision and in the trail, and outlives Redis; resume ends it', async () => {
  const key = `${testRedis.prefix}:enforcement`
  const told: string[] = []
  const listener = redis.duplicate()
  listener.on('message', (_, message) => told.push(message))
  await listener.subscribe(key)

  const paused = await run(['pause', '--reason', 'false alarm', '--actor', 'ada'])
  expect(paused).toMatchObject({ code: 0 })
  const document = paused.json()
  expect(document).toMatchObject({ paused: true, changed: true, told: true })
  await vi.waitFor(() => expect(told.map((text) => JSON.parse(text))).toMatchObject([{ control: true, paused: true }]))
  expect(JSON.parse((await redis.hget(key, CONTROL_FIELD)) ?? '')).toMatchObject({ paused: true })
  listener.disconnect()

  const { rows } = await admin.query('select id, kind, reason, actor, to_state from tollgate.quota_decisions')
  const { decision_id: id } = document as { decision_id: string }
  expect(rows).toEqual([{ id, kind: 'act', reason: 'false alarm', actor: 'ada', to_state: 'enforce, paused' }])
  const audit = await admin.query("select actor from tollgate.audit_log where action = 'enforcement.controlled'")
  expect(audit.rows).toEqual([{ actor: 'ada' }])

  expect((await run(['pause', '--reason', 'again'])).json()).toMatchObject({ changed: false, decision_id: id })
  await testRedis.flush()
  expect((await run(['status'])).json()).toMatchObject({ paused: true, decision_id: id })
  expect((await run(['resume', '--reason', 'all is well'])).json()).toMatchObject({
    paused: false,
    changed: true,
    told: true,
  })
  expect(await isPaused()).toBe(false)
  const trail = await admin.query(
    "select details from tollgate.audit_log where action = 'enforcement.controlled' order by id",
  )
  expect(trail.rows.map(({ details }) => [details.paused, details.reason])).toEqual([
    [true, 'false alarm'],
    [false, 'all is well'],
  ])
})

test('without Redis the change stands in Postgres, and the command says how the gates will learn of it', async () => {
  const { code, stdout } = await run(['pause', '--reason', 'no redis'], 'redis://127.0.0.1:9')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ paused: true, told: false })
  expect(await isPaused()).toBe(true)
})

test('a reason is asked for', async () => {
  expect((await run(['pause'])).code).toBe(2)
})
