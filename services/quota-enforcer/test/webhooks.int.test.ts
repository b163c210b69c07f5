import { randomUUID } from 'node:crypto'
import { createSecretBox, makeWebhookSecret } from '@tollgate/shared/webhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createSendWebhook } from '../src/send-webhook.ts'
import { isGood, openReceiver, type Receiver } from './receiver.ts'
import { openWorld, SECRET_BOX_KEY, secretBox, usageEvent, type World } from './world.ts'

let world: World
let receiver: Receiver
const running: ReturnType<World['start']>[] = []
beforeAll(async () => {
  world = await openWorld()
})
beforeEach(async () => {
  receiver = await openReceiver()
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((enforcer) => enforcer.stop()))
  await receiver.close()
  await world.admin.query('update tollgate.webhook_endpoints set disabled_at = now() where disabled_at is null')
})
afterAll(() => world.close())

const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 })
const startDelivering = (more: object = {}) => {
  const enforcer = world.start({ webhooks: { intervalMs: 20, ...more } })
  running.push(enforcer)
  return enforcer
}

async function addEndpoint(organizationId: string | null, more: { url?: string; types?: string[] } = {}) {
  const secret = makeWebhookSecret()
  const id = randomUUID()
  const sealed_secret = secretBox.seal(secret, id)
  const change = { id, organization_id: organizationId, url: receiver.url, types: [], sealed_secret, actor: 'test' }
  await world.rpcOf.api('create_webhook', { change: { ...change, ...more } })
  return { id, secret, organization_id: organizationId, actor: 'test' }
}

/** An organization with a limit of 1000 and an endpoint of its own. */
async function limited(types: string[] = []) {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.evaluate(id, 'usage')
  return { id, endpoint: await addEndpoint(id, { types }) }
}

async function use(organizationId: string, tokens: number): Promise<void> {
  await world.use(organizationId, tokens)
  await world.evaluate(organizationId, 'usage')
}

const deliveries = async (endpoint: { id: string; organization_id: string | null }) =>
  world.rpcOf.api('list_webhook_deliveries', {
    query: { organization_id: endpoint.organization_id, endpoint_id: endpoint.id, max_rows: 100 },
  })

const skipWait = () =>
  world.admin.query(`update tollgate.webhook_deliveries set due_at = now() where state = 'pending'`)

describe('what is told', () => {
  test('each step, a grant that restores, and the end of the period; an independent verifier accepts each', async () => {
    const { id, endpoint } = await limited()
    const operators = await addEndpoint(null, { types: ['quota.revoked'] })
    for (const tokens of [500, 500, 200]) await use(id, tokens)
    const grant = { organization_id: id, amount: 1_000, reason: 'sorry', idempotency_key: 'k', actor: 'ada' }
    for (const _ of [1, 2]) await world.rpcOf.api('create_grant', { grant_order: grant })
    await world.evaluate(id, 'limit_changed')
    await world.endPeriod(id)
    await world.evaluate(id, 'period')
    const enforcer = startDelivering()
    const own = [
      'quota.threshold',
      'quota.downgraded',
      'quota.revoked',
      'quota.granted',
      'quota.restored',
      'period.ended',
    ]
    await until(() => expect(receiver.received).toHaveLength(own.length + 1))
    expect(receiver.types().sort()).toEqual([...own, 'quota.revoked'].sort())
    expect(receiver.received.filter((request) => isGood(request, endpoint.secret))).toHaveLength(own.length)
    expect(receiver.received.filter((request) => isGood(request, operators.secret))).toHaveLength(1)
    const bodies = receiver.received.map(({ body }) => JSON.parse(body))
    expect(bodies.find(({ type }) => type === 'quota.revoked')).toMatchObject({
      data: { organization_id: id, state: 'revoked', reason: 'max_tokens_120_percent', used_tokens: '1200' },
    })
    expect(bodies.find(({ type }) => type === 'period.ended').data).toMatchObject({
      used_tokens: '1200',
      event_count: '3',
    })
    await until(async () =>
      expect(await enforcer.readMetric('tollgate_webhook_deliveries_total', { outcome: 'delivered' })).toBe(7),
    )
  })

  test('usage that hovers around a step is told of once; a raised limit makes a new crossing', async () => {
    const { id, endpoint } = await limited(['quota.threshold', 'quota.revoked'])
    const { source, id: eventId, ...event } = usageEvent(id, 510)
    await world.rpcOf.worker('ingest_usage', { batch: { events: [{ ...event, source, id: eventId }] } })
    for (let revision = 1; revision <= 12; revision++) {
      await world.evaluate(id, 'usage')
      const counts = { input_tokens: revision % 2 === 0 ? 510 : 490, revision, corrects: { source, id: eventId } }
      const correction = { ...event, ...counts, source, id: randomUUID(), type: 'usage.corrected' as const }
      await world.rpcOf.worker('ingest_usage', { batch: { events: [correction] } })
    }
    await world.evaluate(id, 'usage')
    expect((await world.readDecisions(id)).filter(({ to_state }) => to_state === 'warned').length).toBeGreaterThan(5)
    expect(await deliveries(endpoint)).toMatchObject([{ type: 'quota.threshold', state: 'pending' }])
    await world.setLimit(id, 2_000)
    await world.evaluate(id, 'limit_changed')
    await use(id, 600)
    expect(await deliveries(endpoint)).toHaveLength(2)
  })

  test('a user with a limit of its own', async () => {
    const { id, endpoint } = await limited(['quota.revoked'])
    await world.setUserLimit(id, id, 100)
    await use(id, 130)
    expect(await deliveries(endpoint)).toMatchObject([{ payload: { data: { user_id: id, state: 'revoked' } } }])
  })
})

describe('signatures', () => {
  test('during a rotation both secrets are good, then the new one alone; any other never', async () => {
    const { id, endpoint } = await limited()
    const secret = makeWebhookSecret()
    const sealed_secret = secretBox.seal(secret, endpoint.id)
    await world.rpcOf.api('rotate_webhook', { change: { ...endpoint, sealed_secret, overlap_seconds: 3_600 } })
    await use(id, 500)
    startDelivering()
    await until(() => expect(receiver.received).toHaveLength(1))
    const judge = () =>
      [endpoint.secret, secret, makeWebhookSecret()].map((known) =>
        receiver.received.slice(-1).some((request) => isGood(request, known)),
      )
    expect(judge()).toEqual([true, true, false])
    await world.admin.query('update tollgate.webhook_endpoints set previous_until = now()')
    await use(id, 500)
    await until(() => expect(receiver.received).toHaveLength(2))
    expect(judge()).toEqual([false, true, false])
  })
})

describe('sealed secrets', () => {
  const [OLD, NEW] = ['the key of last year, as long as it has to be', 'the key of this year, as long as it has to be']

  test('a new key seals what there is anew, and the old one can go; without its key nothing is sent, and it stays due', async () => {
    const { id, endpoint } = await limited(['quota.threshold'])
    const seal = async (sealed_secret: string) =>
      world.admin.query('update tollgate.webhook_endpoints set sealed_secret = $2 where id = $1', [
        endpoint.id,
        sealed_secret,
      ])
    await seal(createSecretBox([OLD]).seal(endpoint.secret, endpoint.id))
    await use(id, 500)
    startDelivering({ box: createSecretBox([NEW]) })
    await until(async () =>
      expect(await deliveries(endpoint)).toMatchObject([
        { attempts: 1, state: 'pending', last_error: 'the key of the signing secret is missing at present' },
      ]),
    )
    expect(receiver.received).toHaveLength(0)
    await Promise.all(running.splice(0).map((enforcer) => enforcer.stop()))
    startDelivering({ box: createSecretBox([NEW, OLD]) })
    const stored = async () =>
      (await world.admin.query('select sealed_secret from tollgate.webhook_endpoints where id = $1', [endpoint.id]))
        .rows[0]
    await until(async () =>
      expect(createSecretBox([NEW]).open((await stored()).sealed_secret, endpoint.id)).toBe(endpoint.secret),
    )
    await Promise.all(running.splice(0).map((enforcer) => enforcer.stop()))
    startDelivering({ box: createSecretBox([NEW]) })
    await skipWait()
    await until(() => expect(receiver.received.filter((request) => isGood(request, endpoint.secret))).toHaveLength(1))
  })

  test('all are sealed anew before the first delivery goes out, those behind many whose key is lost too', async () => {
    const { id } = await limited(['quota.threshold'])
    await world.admin.query('update tollgate.webhook_endpoints set url = $2 where organization_id = $1', [
      id,
      `http://hooks.example.com:${receiver.port}/`,
    ])
    const ids = Array.from({ length: 450 }, () => randomUUID()).toSorted()
    const [lost, found] = [ids.slice(0, 250), ids.slice(250)]
    const sealed = [
      ...lost.map((of) => createSecretBox(['a key that nobody has any more']).seal(makeWebhookSecret(), of)),
      ...found.map((of) => createSecretBox([OLD]).seal(makeWebhookSecret(), of)),
    ]
    await world.admin.query(
      `insert into tollgate.webhook_endpoints (id, organization_id, url, types, sealed_secret, created_by)
       select s.id, $3, 'https://hooks.example.com/', '{none}', s.sealed, 'test'
       from unnest($1::uuid[], $2::text[]) s (id, sealed)`,
      [ids, sealed, id],
    )
    const countNew = async (): Promise<number> => {
      const sql =
        'select count(*)::integer as n from tollgate.webhook_endpoints where id = any($1) and starts_with(sealed_secret, $2)'
      return (await world.admin.query(sql, [ids, createSecretBox([NEW]).sealPrefix])).rows[0].n
    }
    await use(id, 500)
    // Asked before each request goes out.
    const sealedBefore: number[] = []
    const resolve = async () => {
      sealedBefore.push(await countNew())
      return [{ address: '127.0.0.1', family: 4 }]
    }
    const box = createSecretBox([NEW, OLD, SECRET_BOX_KEY])
    startDelivering({ box, resolve })
    await until(() => expect(receiver.received).toHaveLength(1))
    expect(sealedBefore).toEqual([found.length])
    await world.admin.query('delete from tollgate.webhook_endpoints where id = any($1)', [ids])
  })
})

describe('faults', () => {
  test('a receiver that is down is tried again with the same id; replay sends once more', async () => {
    const { id, endpoint } = await limited()
    receiver.answer.status = 500
    await use(id, 500)
    startDelivering()
    await until(async () =>
      expect(await deliveries(endpoint)).toMatchObject([{ attempts: 1, last_status: 500, state: 'pending' }]),
    )
    receiver.answer.status = 204
    await skipWait()
    await until(async () => expect(await deliveries(endpoint)).toMatchObject([{ attempts: 2, state: 'delivered' }]))
    const [delivery] = await deliveries(endpoint)
    expect(delivery?.log).toMatchObject([{ status: 500 }, { status: 204, error: null }])
    await world.rpcOf.api('replay_webhook', {
      change: { ...endpoint, endpoint_id: endpoint.id, id: delivery?.id ?? '' },
    })
    await until(() => expect(receiver.received.map((request) => request.id)).toEqual(Array(3).fill(delivery?.id)))
  })

  test('after the last attempt it is dead, with its reason; redirects are not followed', async () => {
    const { id, endpoint } = await limited()
    Object.assign(receiver.answer, { status: 302, headers: { location: receiver.url } })
    await use(id, 500)
    const enforcer = startDelivering()
    await until(async () => {
      await skipWait()
      expect(await deliveries(endpoint)).toMatchObject([{ state: 'dead', attempts: 10, last_error: 'answered 302' }])
    })
    expect(receiver.received).toHaveLength(10)
    await until(async () =>
      expect(await enforcer.readMetric('tollgate_webhook_deliveries_total', { outcome: 'dead' })).toBe(1),
    )
  })

  test('a sender that dies between sending and writing it down: sent again with the same id', async () => {
    const { id, endpoint } = await limited()
    await use(id, 500)
    const [claim] = await world.rpcOf.enforcer('claim_webhooks', { claim: { max_rows: 10, lease_ms: 300 } })
    if (claim === undefined) throw new Error('nothing was due')
    const send = createSendWebhook({ allowPrivate: true, timeoutMs: 5_000, now: Date.now })
    await send(
      { id: claim.id, url: claim.url, body: claim.payload, secrets: [endpoint.secret] },
      new AbortController().signal,
    )
    startDelivering()
    await until(async () => expect(await deliveries(endpoint)).toMatchObject([{ state: 'delivered' }]))
    expect(receiver.received.map((request) => request.id)).toEqual([claim.id, claim.id])
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1)
  })

  test.each(['prune_webhooks', 'list_old_seals'])('%s that fails holds up no delivery', async (broken) => {
    const { id } = await limited()
    await world.admin.query(`revoke execute on function public.${broken} from tollgate_quota_enforcer`)
    await use(id, 500)
    startDelivering()
    await until(() => expect(receiver.received).toHaveLength(1))
    await world.admin.query(`grant execute on function public.${broken} to tollgate_quota_enforcer`)
  })

  test('two enforcers deliver each notification once', async () => {
    const { id, endpoint } = await limited()
    startDelivering()
    startDelivering()
    for (let grant = 0; grant < 60; grant++) {
      const order = { organization_id: id, amount: 1, reason: 'test', idempotency_key: `${grant}`, actor: 'test' }
      await world.rpcOf.api('create_grant', { grant_order: order })
    }
    await until(async () =>
      expect((await deliveries(endpoint)).filter(({ state }) => state === 'delivered')).toHaveLength(60),
    )
    expect(receiver.received).toHaveLength(60)
    expect(new Set(receiver.received.map((request) => request.id)).size).toBe(60)
  })
})

test('a loopback endpoint of the database is refused where private targets are not allowed', async () => {
  const { id, endpoint } = await limited()
  await use(id, 500)
  startDelivering({ allowPrivate: false })
  await until(async () => expect(await deliveries(endpoint)).toMatchObject([{ last_error: 'The URL must be https.' }]))
  expect(receiver.received).toHaveLength(0)
})
