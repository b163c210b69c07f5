import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  await vi.waitFor(
    () => expect(told.map((text) => JSON.parse(text))).toMatchObject([{ control: true, paused: true }]),
    10_000,
  )
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

test('a plan is set for all that have nothing of their own, with an entry in the trail; what is no plan or policy changes nothing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tollgate-plans-'))
  try {
    const plans = (...args: string[]) => runCli(['plans', ...args, '--json'], { databaseUrl: database.databaseUrl })
    const ids = await Promise.all(['acme', 'own'].map(addOrganization))
    await admin.query('select public.set_quota($1)', [{ organization_id: ids[1], limit: 7, actor: 'test' }])
    const policy = { steps: [{ at_percent: 90, state: 'revoked' }], downgrade_to: {} }
    const file = join(directory, 'policy.json')
    await writeFile(file, JSON.stringify(policy))
    const set = await plans('set', 'basic', '--limit', '5000', '--policy', file, '--actor', 'ada')
    expect(set.json()).toEqual({ plan_type: 'basic', limit_tokens: '5000', policy, organizations: 2 })
    const inputs = `select base_limit_tokens as limit, policy from tollgate.quota_inputs where organization_id = any($1) order by 1`
    expect((await admin.query(inputs, [ids])).rows).toEqual([
      { limit: '7', policy },
      { limit: '5000', policy },
    ])
    expect((await plans('set', 'basic', '--policy', 'default')).json()).toMatchObject({
      limit_tokens: '5000',
      policy: null,
    })
    expect((await plans('set', 'basic', '--limit', 'unlimited')).json()).toMatchObject({ limit_tokens: null })
    const trail = `select actor, details from tollgate.audit_log where action = 'plan.changed' order by id`
    expect((await admin.query(trail)).rows).toMatchObject([
      { actor: 'ada', details: { limit: 5_000, policy } },
      { actor: 'operator', details: { policy: null } },
      { details: { limit: null } },
    ])
    await writeFile(file, '{"steps": 1}')
    expect((await plans('set', 'basic', '--policy', file)).code).toBe(2)
    expect((await plans('set', 'basik', '--limit', '1')).code).toBe(2)
    expect((await plans('set', 'basic')).code).toBe(2)
    expect((await plans('list')).json()).toContainEqual({
      ...{ plan_type: 'basic', limit_tokens: null, policy: null, organizations: 2 },
    })
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a markup is set for an organization or its plan, holds for what is judged next, and is on record', async () => {
  const id = await addOrganization('marked up')
  const markup = (...args: string[]) => runCli(['markup', ...args, '--json'], { databaseUrl: database.databaseUrl })
  const holding = async () =>
    Number((await admin.query('select tollgate.markup_percent($1) as percent', [id])).rows[0].percent)
  const set = await markup('set', '12.5', '--plan', 'basic', '--actor', 'ada')
  expect(set.json()).toEqual({ scope: 'plan', target: 'basic', name: null, markup_percent: '12.5' })
  expect(await holding()).toBe(12.5)
  await markup('set', '20', '--organization', id)
  expect(await holding()).toBe(20)
  expect((await markup('list')).json()).toEqual([
    { scope: 'plan', target: 'basic', name: null, markup_percent: '12.5' },
    { scope: 'organization', target: id, name: 'marked up', markup_percent: '20' },
  ])
  expect((await markup('set', 'none', '--organization', id)).json()).toMatchObject({ markup_percent: null })
  expect(await holding()).toBe(12.5)
  for (const wrong of [
    ['20'],
    ['-101', '--plan', 'basic'],
    ['x', '--plan', 'basic'],
    ['1', '--plan', 'nobody has it'],
  ]) {
    expect((await markup('set', ...wrong)).code).toBe(2)
  }
  expect((await markup('set', '--help')).stdout.replace(/\s+/g, ' ')).toContain('from -100 to 10000')
  const trail = `select actor, target, details from tollgate.audit_log where action = 'markup.changed' order by id`
  expect((await admin.query(trail)).rows).toEqual([
    { actor: 'ada', target: 'plan:basic', details: { percent: 12.5 } },
    { actor: 'operator', target: `organization:${id}`, details: { percent: 20 } },
    { actor: 'operator', target: `organization:${id}`, details: { percent: null } },
  ])
})

test('a grant is listed and voided once; what is none of the organization is refused', async () => {
  const id = await addOrganization('granted')
  const grants = (...args: string[]) => runCli(['grants', ...args, '--json'], { databaseUrl: database.databaseUrl })
  const order = { organization_id: id, amount: 500, reason: 'sorry', idempotency_key: 'k', actor: 'ada' }
  await admin.query('select public.create_grant($1)', [order])
  const [given] = (await grants('list', id)).json() as { id: string; left_tokens: string }[]
  expect(given).toMatchObject({ left_tokens: '500', voided_at: null })
  const grant = given?.id ?? ''
  for (const outcome of ['voided', 'repeated']) {
    const voided = await grants('void', id, grant, '--reason', 'by mistake', '--actor', 'ada')
    expect(voided.json()).toMatchObject({ outcome, spent_tokens: '0', voided_by: 'ada', void_reason: 'by mistake' })
  }
  expect((await grants('void', await addOrganization('stranger'), grant, '--reason', 'x')).code).toBe(2)
})

async function addOrganization(name: string): Promise<string> {
  const sql = `insert into public.organizations (name, domain, plan_type) values ($1, $1, 'basic') returning id`
  return (await admin.query(sql, [name])).rows[0].id
}
