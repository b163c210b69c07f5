import { randomUUID } from 'node:crypto'
import { enforcementSeenKey } from '@tollgate/shared/contracts'
import { makeWebhookSecret } from '@tollgate/shared/webhooks'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { enforcementKey } from '../src/publish.ts'
import { openReceiver } from './receiver.ts'
import { openWorld, secretBox, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 60_000, interval: 50 })

test('a lost wake-up is healed by the sweep', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.use(id, 1_500)
  const enforcer = world.start({ sweepIntervalMs: 100 })
  await until(async () => {
    expect(await world.readCopy(id)).toMatchObject({ state: 'revoked' })
  })
  expect((await world.readDecisions(id))[0]?.inputs).toMatchObject({ trigger: 'sweep' })
  await until(async () => expect(await enforcer.readMetric('tollgate_sweep_healed_total', { reason: 'sweep' })).toBe(1))
  await enforcer.stop()
})

test('the sweep evaluates more organizations than one page holds', async () => {
  const ids = Array.from({ length: 520 }, () => crypto.randomUUID())
  await world.admin.query(
    'insert into public.organizations (id, name, domain) select i, i::text, i::text from unnest($1::uuid[]) i',
    [ids],
  )
  await world.admin.query(
    `insert into tollgate.period_totals (organization_id, period_start, used_tokens)
     select i, tollgate.period_start(now(), 'UTC'), 1 from unnest($1::uuid[]) i`,
    [ids],
  )
  const enforcer = world.start()
  await until(async () => {
    const due = await world.rpcOf.enforcer('list_due_evaluations', { max_rows: 1_000 })
    expect(due).toEqual([])
    expect(await world.redis.hlen(enforcementKey(world.namespace))).toBeGreaterThanOrEqual(520)
  })
  await enforcer.stop()
})

test('a wiped Redis is rebuilt from Postgres, and the gates are told', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.use(id, 1_500)
  await world.evaluate(id, 'usage')
  const enforcer = world.start({ rebuildIntervalMs: 100 })
  await until(async () => {
    expect(await world.readCopy(id)).toMatchObject({ state: 'revoked' })
  })
  const listener = world.redis.duplicate()
  const told: string[] = []
  listener.on('message', (_, message) => told.push(message))
  await listener.subscribe(enforcementKey(world.namespace))
  await world.redis.flushdb()
  await until(async () => {
    expect(await world.readCopy(id)).toMatchObject({ state: 'revoked' })
    expect(told.some((message) => message.includes(id))).toBe(true)
  })
  await until(async () =>
    expect(await enforcer.readMetric('tollgate_sweep_healed_total', { reason: 'redis' })).toBeGreaterThan(0),
  )
  listener.disconnect()
  await enforcer.stop()
})

test('an evaluation reaches Postgres though it cannot be published, and the rebuild publishes it', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  // A key of another type makes the script fail as a broken Redis would.
  const key = enforcementKey(world.namespace)
  await world.redis.del(key)
  await world.redis.set(key, 'not a hash')
  const enforcer = world.start({ rebuildIntervalMs: 100 })
  await world.use(id, 1_500)
  await world.wake(id)
  await until(async () => {
    expect(await world.readPosition(id)).toMatchObject({ state: 'revoked' })
    expect(await enforcer.readMetric('tollgate_enforcement_publish_failures_total')).toBeGreaterThan(0)
  })
  await world.redis.del(key)
  await until(async () => {
    expect(await world.readCopy(id)).toMatchObject({ state: 'revoked' })
  })
  await enforcer.stop()
})

describe('a Postgres restored to an earlier point', () => {
  test('begins a new epoch above all that was given out, once, whoever notices', async () => {
    const id = await world.createOrganization()
    await world.setLimit(id, 1_000)
    await world.use(id, 1_200)
    await world.evaluate(id, 'usage')
    const enforcer = world.start({ rebuildIntervalMs: 50 })
    await vi.waitFor(async () => expect(await world.readCopy(id)).toMatchObject({ state: 'revoked' }), {
      timeout: 20_000,
    })
    const before = await world.readCopy(id)
    // What the published future said of this organization, and Postgres has lost.
    await world.publish([{ ...(before ?? expect.fail()), version: 40, revision: '900000' }])
    await vi.waitFor(
      async () => {
        const copy = await world.readCopy(id)
        expect(copy?.epoch).toBe(2)
        expect(copy?.version).toBeGreaterThan(1_000_000_000)
        expect(BigInt(copy?.revision ?? 0)).toBeGreaterThan(900_000n)
      },
      { timeout: 20_000, interval: 50 },
    )
    await until(async () => expect(await enforcer.readMetric('tollgate_enforcement_epochs_total')).toBe(1))
    await enforcer.stop()
    const [control] = await world.rpcOf.api('load_enforcement_control', {})
    expect(control?.epoch).toBe('2')
  })
  test('is noticed also where Redis has lost its copy, by what a gate remembers', async () => {
    const before = await world.rpcOf.api('load_enforcement_control', {})
    await world.redis.del(`${world.namespace}:enforcement`)
    const [epoch, revision] = [before[0]?.epoch ?? '', `${BigInt(before[0]?.last_revision ?? 0) + 5_000n}`]
    await world.redis.hset(enforcementSeenKey(world.namespace), { epoch, revision })
    const enforcer = world.start({ rebuildIntervalMs: 50 })
    await vi.waitFor(async () => expect(await enforcer.readMetric('tollgate_enforcement_epochs_total')).toBe(1), {
      timeout: 20_000,
      interval: 50,
    })
    await enforcer.stop()
    const [control] = await world.rpcOf.api('load_enforcement_control', {})
    expect(Number(control?.epoch)).toBe(Number(epoch) + 1)
    expect(BigInt(control?.revision ?? 0)).toBeGreaterThan(BigInt(revision))
  })
})

test('pausing is on record, and what holds for all is published', async () => {
  const change = { actor: 'cli', reason: 'false alarm' }
  const [paused] = await world.rpcOf.enforcer('set_enforcement_control', { change: { ...change, paused: true } })
  expect(paused).toMatchObject({ changed: true, paused: true })
  const again = await world.rpcOf.enforcer('set_enforcement_control', { change: { ...change, paused: true } })
  expect(again).toMatchObject([{ changed: false, decision_id: paused?.decision_id }])
  const { rows } = await world.admin.query(
    'select actor, reason, to_state from tollgate.quota_decisions where id = $1',
    [paused?.decision_id],
  )
  expect(rows).toEqual([{ actor: 'cli', reason: 'false alarm', to_state: 'enforce, paused' }])
  await world.rpcOf.enforcer('set_enforcement_control', { change: { ...change, paused: false } })
})

describe('endpoints', () => {
  const add = async (organization_id: string, url: string) => {
    const id = randomUUID()
    const owner = { id, organization_id, actor: 'test' }
    const sealed_secret = secretBox.seal(makeWebhookSecret(), id)
    await world.rpcOf.api('create_webhook', { change: { ...owner, url, types: [], sealed_secret } })
    return owner
  }

  test('those that do not answer hold up no other, as many as an owner has, and get nothing more meanwhile', async () => {
    const receiver = await openReceiver()
    const id = await world.createOrganization()
    for (let count = 1; count < 20; count++) await add(id, `http://slow.example.com:${receiver.port}/`)
    await add(id, `http://quick.example.com:${receiver.port}/`)
    const asked: string[] = []
    const resolve = (host: string) => {
      asked.push(host)
      return host.startsWith('slow')
        ? new Promise<never>(() => undefined)
        : Promise.resolve([{ address: '127.0.0.1', family: 4 }])
    }
    const enforcer = world.start({ webhooks: { intervalMs: 20, timeoutMs: 60_000, leaseMs: 120_000, resolve } })
    for (const told of [1, 2, 3]) {
      const grant = { organization_id: id, amount: 1, reason: 'test', idempotency_key: `${told}`, actor: 'test' }
      await world.rpcOf.api('create_grant', { grant_order: grant })
      await vi.waitFor(() => expect(receiver.received).toHaveLength(told), { timeout: 10_000, interval: 20 })
    }
    expect(asked.filter((host) => host.startsWith('slow'))).toHaveLength(19)
    await enforcer.stop()
    await receiver.close()
  })

  test('what is told to one in the moment in which it is removed is no backlog', async () => {
    const id = await world.createOrganization()
    const owner = await add(id, 'https://hooks.example.com/')
    const backlog = async () => (await world.rpcOf.enforcer('webhook_backlog', {}))[0]?.pending
    const before = await backlog()
    const deciding = await world.admin.connect()
    await deciding.query('begin')
    await deciding.query(`select tollgate.notify($1, 'quota.granted', 'a grant', '{}', now())`, [id])
    await world.rpcOf.api('remove_webhook', { change: owner })
    await deciding.query('commit')
    deciding.release()
    expect(await backlog()).toBe(before)
  })
})
