import { randomUUID } from 'node:crypto'
import { changedPositionsKey, positionsKey, publishedPosition, publishedPositions } from '@tollgate/shared/contracts'
import { createMetrics } from '@tollgate/shared/metrics'
import { createPositionMarks } from '@tollgate/shared/queues'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startAuditing } from '../src/audit-positions.ts'
import { defineEnforcerMetrics } from '../src/metrics.ts'
import { createPromptPublisher, createPublishPositions } from '../src/publish-positions.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 15_000, interval: 50 })
const readCopy = async (id: string) => {
  const text = await world.redis.hget(positionsKey(world.namespace), id)
  return text === null ? null : publishedPosition.parse(JSON.parse(text))
}
const figuresOf = async (id: string) => {
  const copy = await readCopy(id)
  return copy && [copy.limit_tokens, copy.used_tokens, copy.reserved_tokens]
}
const mark = (...ids: string[]) => world.redis.sadd(changedPositionsKey(world.namespace), ...ids)
const reserve = (organization_id: string, total_tokens: number) =>
  world.rpcOf.api('reserve_tokens', {
    batch: {
      requests: [
        ...[
          {
            id: randomUUID(),
            organization_id,
            user_id: randomUUID(),
            session_id: 'chat-1',
            total_tokens,
            ttl_seconds: 60,
          },
        ],
      ],
    },
  })
const createOrganization = async (limit: number) => {
  const id = await world.createOrganization()
  await world.setLimit(id, limit)
  return id
}
/** Writes something else into the copy, as an increment from outside would; it says that it is old. */
const spoil = async (id: string, change: object) => {
  const copy = await readCopy(id)
  const spoilt = { ...copy, as_of_ms: Date.now() - 60_000, ...change }
  await world.redis.hset(positionsKey(world.namespace), id, JSON.stringify(spoilt))
}

test('what is marked is published with its ledger total and open holds, to the hash and to the gates', async () => {
  const enforcer = await world.start()
  const listener = world.redis.duplicate()
  const heard: string[] = []
  await listener.subscribe(positionsKey(world.namespace))
  listener.on('message', (_channel, message) => {
    heard.push(...publishedPositions.parse(JSON.parse(message)).map((position) => position.organization_id))
  })
  try {
    const id = await createOrganization(1_000)
    await world.use(id, 300)
    await reserve(id, 200)
    createPositionMarks({ redis: world.redis, namespace: world.namespace, onError: () => undefined }).mark([id])
    await until(async () => expect(await figuresOf(id)).toEqual(['1000', '300', '200']))
    await until(async () => expect(heard).toContain(id))
    // The first step of the default ladder, at half of the limit; published as soon as the enforcer has looked at it.
    await world.wake(id)
    await until(async () => expect((await readCopy(id))?.evaluate_at).toBe('500'))
  } finally {
    listener.disconnect()
    await enforcer.stop()
  }
})

test('who was just decided upon is published while nobody publishes what is marked, or marked where that fails', async () => {
  const [one, other] = [await createOrganization(1_000), await createOrganization(2_000)]
  const marked: string[] = []
  const options = { rpc: world.rpcOf.enforcer, onError: () => undefined }
  const mark = (ids: Iterable<string>) => marked.push(...ids)
  const prompt = createPromptPublisher(options, createPublishPositions(world), mark)
  for (const id of [one, other, one]) prompt.publish(id)
  await prompt.drain()
  expect([await figuresOf(one), await figuresOf(other)]).toEqual([
    ['1000', '0', '0'],
    ['2000', '0', '0'],
  ])
  const failing = createPromptPublisher(options, () => Promise.reject(new Error('away')), mark)
  failing.publish(one)
  await failing.drain()
  expect(marked).toEqual([one])
})

test('an older position never replaces a newer one', async () => {
  const enforcer = await world.start()
  try {
    const id = await createOrganization(1_000)
    await mark(id)
    await until(async () => expect(await figuresOf(id)).toEqual(['1000', '0', '0']))
    await spoil(id, { used_tokens: '999', as_of_ms: Date.now() + 60_000 })
    await world.use(id, 10)
    await mark(id)
    await until(async () => expect(await world.redis.scard(changedPositionsKey(world.namespace))).toBe(0))
    expect(await figuresOf(id)).toEqual(['1000', '999', '0'])
  } finally {
    await enforcer.stop()
  }
})

test('the auditor finds a copy that is wrong by one LLM token, and sets it', async () => {
  const id = await createOrganization(1_000)
  const quiet = await world.start()
  await world.use(id, 300)
  await mark(id)
  await until(async () => expect(await figuresOf(id)).toEqual(['1000', '300', '0']))
  await quiet.stop()

  const enforcer = await world.start({ auditIntervalMs: 200 })
  try {
    await until(async () => {
      await spoil(id, { used_tokens: '301' })
      await until(async () => expect(await figuresOf(id)).toEqual(['1000', '300', '0']))
      // Not at once where the first sweep of this enforcer has marked the organization just now: then it is published.
      expect(await enforcer.readMetric('tollgate_quota_drift_repairs_total', { what: 'copy' })).toBe(1)
    })
    // Usage that nobody marked is found too, by the audit or by an evaluation.
    await world.use(id, 5)
    await until(async () => expect(await figuresOf(id)).toEqual(['1000', '305', '0']))
    await until(async () => expect(await enforcer.readMetric('tollgate_quota_drift_tokens')).toBe(0))
  } finally {
    await enforcer.stop()
  }
})

test('a copy whose change is marked, and waits to be published, is set right and is no drift', async () => {
  const id = await createOrganization(1_000)
  const enforcer = await world.start()
  await mark(id)
  await until(async () => expect(await figuresOf(id)).toEqual(['1000', '0', '0']))
  await enforcer.stop()
  await world.use(id, 300)
  await spoil(id, {})
  await mark(id)
  const metrics = defineEnforcerMetrics(createMetrics({ service: 'test' }))
  const { redis, namespace } = world
  const auditing = startAuditing({
    ...{ rpc: world.rpcOf.enforcer, redis, namespace, metrics, now: Date.now },
    ...{ publish: createPublishPositions({ redis, namespace }), logger: { warn: () => undefined } },
  })
  try {
    await until(async () => expect(await figuresOf(id)).toEqual(['1000', '300', '0']))
  } finally {
    await auditing.stop()
    await redis.del(changedPositionsKey(namespace))
  }
  expect((await metrics.driftRepairs.get()).values.filter(({ value }) => value > 0)).toEqual([])
})

test('a wiped Redis is filled again, which is no drift', async () => {
  const id = await createOrganization(1_000)
  await world.use(id, 300)
  await world.redis.del(positionsKey(world.namespace))
  const enforcer = await world.start({ auditIntervalMs: 200 })
  try {
    await until(async () => expect(await figuresOf(id)).toEqual(['1000', '300', '0']))
    expect(await enforcer.readMetric('tollgate_quota_drift_repairs_total', { what: 'copy' })).toBe(0)
  } finally {
    await enforcer.stop()
  }
})

test('a wrong total of open holds is set right, and the room comes back', async () => {
  const id = await createOrganization(1_000)
  await reserve(id, 400)
  await world.admin.query(
    'update tollgate.reserved_totals set reserved_tokens = reserved_tokens + 600 where organization_id = $1',
    [id],
  )
  expect((await reserve(id, 1))[0]?.outcome).toBe('refused')
  const enforcer = await world.start({ auditIntervalMs: 200 })
  try {
    await until(async () => expect((await reserve(id, 600))[0]?.outcome).toBe('held'))
    // The room is back with the commit, the count a moment later.
    await until(async () =>
      expect(await enforcer.readMetric('tollgate_quota_drift_repairs_total', { what: 'holds' })).toBe(1),
    )
  } finally {
    await enforcer.stop()
  }
})

test('holds that run out are given back and published, by two enforcers once', async () => {
  const enforcers = await Promise.all([world.start({ sweepIntervalMs: 100 }), world.start({ sweepIntervalMs: 100 })])
  try {
    const id = await createOrganization(1_000)
    await reserve(id, 400)
    await mark(id)
    await until(async () => expect(await figuresOf(id)).toEqual(['1000', '0', '400']))
    await world.admin.query('update tollgate.reservations set expires_at = now() where organization_id = $1', [id])
    await until(async () => expect(await figuresOf(id)).toEqual(['1000', '0', '0']))
    await until(async () => {
      const counts = await Promise.all(enforcers.map((one) => one.readMetric('tollgate_reservations_expired_total')))
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1)
    })
  } finally {
    await Promise.all(enforcers.map((enforcer) => enforcer.stop()))
  }
})
