import { StoreError } from '@tollgate/shared/store'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { buildApp } from '../app.ts'
import type { GateVerdict } from '../gate/gate.ts'
import type { App } from '../routes/typed-app.ts'
import { unreachableDependencies } from '../testing/app-dependencies.ts'
import { sampleEnforcement } from '../testing/claims.ts'

const ORGANIZATION = 'ac3e0000-0000-4000-8000-000000000001'
const USER = '5b1f5a5e-0000-4000-8000-000000000001'
const KEY = {
  id: 'key-1',
  scopes: ['events:write', 'reservations:write'],
  organization_id: ORGANIZATION,
  expires_at: null,
}

// A wish that no route grants.
const LONG = { prefer: 'handling=lenient' }

let verdict: GateVerdict
let isAway: boolean
let isBroken: boolean
let current: number
let routed: number
let app: App
let url: string

beforeEach(async () => {
  ;[verdict, isAway, isBroken, current, routed] = [{ accepted: true }, false, false, 1, 0]
  const away = () => new StoreError('away', { code: 'unavailable', retryable: true })
  const unreachable = await unreachableDependencies(away, [])
  app = buildApp({
    ...unreachable,
    serviceKeys: { ...unreachable.serviceKeys, authenticate: async () => KEY, recall: () => KEY },
    store: {
      ...unreachable.store,
      findMembers: async (ids) => ids.map((id) => ({ user_id: id, organization_id: ORGANIZATION, role: 'user' })),
    },
    admit: async (events) => {
      if (isAway) throw away()
      return [{ path: 'inbox', positions: events.map((_, position) => position) }]
    },
    judge: () => verdict,
    positions: { ...unreachable.positions, show: (reply) => reply.header('ratelimit', '"monthly-tokens";r=1;t=2') },
    rates: {
      limits: { people: 10, servers: 10, metering: 10, anonymous: 10 },
      counts: { count },
      onLimited: () => undefined,
    },
  })
  app.addHook('onRequest', async () => {
    routed += 1
  })
  url = await app.listen({ host: '127.0.0.1', port: 0 })
  // Until a key was good here, it is nobody's.
  await post('/v1/events', JSON.stringify(usage()), LONG)
})
afterEach(() => app.close())

function count() {
  if (isBroken) throw new Error('broken')
  return { current, ttlMs: 30_000 }
}

const usage = (change: object = {}) => ({
  ...{ specversion: '1.0', type: 'tollgate.usage.recorded.v1', source: 'chat', id: 'e-1' },
  data: {
    ...{ organization_id: ORGANIZATION, user_id: USER, session_id: 'chat-1', model: 'gpt-4o' },
    ...{ input_tokens: 1, output_tokens: 2, ...change },
  },
})
const hold = { organization_id: ORGANIZATION, user_id: USER, session_id: 'chat-1', total_tokens: 1_000 }
const foreign = usage({ organization_id: 'ac3e0000-0000-4000-8000-000000000002' })

async function post(path: string, body: string, headers: Record<string, string> = {}) {
  const sent = {
    authorization: `Bearer tg_${'a'.repeat(32)}`,
    'content-type': 'application/json',
    'x-request-id': 'r-1',
  }
  const before = routed
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { ...sent, ...headers }, body })
  const { date: _date, ...kept } = Object.fromEntries(answer.headers)
  return { answer: { status: answer.status, headers: kept, body: await answer.json() }, isRouted: routed > before }
}

test.each<[string, string, unknown, number, () => unknown]>([
  ['one event', '/v1/events', usage(), 202, () => undefined],
  ['events of which one may not be sent', '/v1/events', [usage(), foreign], 202, () => undefined],
  ['events none of which may be sent', '/v1/events', [foreign], 400, () => undefined],
  ['a body that is no event', '/v1/events', 1, 400, () => undefined],
  ['events that cannot be stored', '/v1/events', usage(), 503, () => (isAway = true)],
  ['a hold that Postgres cannot make', '/v1/reservations', hold, 503, () => undefined],
  ['a hold while the gate cannot tell', '/v1/reservations', hold, 503, () => refuse('gate_unavailable')],
  ['a hold of who is revoked', '/v1/reservations', hold, 403, () => refuse('organization_revoked')],
])('%s is answered in both ways alike', async (_name, path, body, status, arrange) => {
  arrange()
  const short = await post(path, JSON.stringify(body))
  const long = await post(path, JSON.stringify(body), LONG)
  expect(short.answer).toEqual(long.answer)
  expect(short.answer).toMatchObject({ status, headers: { 'x-request-id': 'r-1', 'cache-control': 'no-store' } })
  expect(short.answer.headers['ratelimit-policy']).toContain('"metering";q=10;w=60')
  // What has failed comes to no hook that counts requests or reads a body.
  expect([short.isRouted, long.isRouted]).toEqual([false, true])
})

function refuse(reason: 'gate_unavailable' | 'organization_revoked'): void {
  const enforcement = sampleEnforcement({ organization_id: ORGANIZATION, state: 'revoked', reason: 'step_reached' })
  verdict = { accepted: false, reason, ...(reason === 'gate_unavailable' ? {} : { enforcement }) }
}

test.each<[string, string, string, number]>([
  ['no body, of events', '/v1/events', '', 400],
  ['no body, of a hold', '/v1/reservations', '', 400],
  ['a hold over the limit of its body', '/v1/reservations', JSON.stringify(hold) + ' '.repeat(70_000), 413],
  ['a hold that is not written as holds are', '/v1/reservations', JSON.stringify({ ...hold, total_tokens: 0 }), 400],
  [
    'a hold of another organization than the key',
    '/v1/reservations',
    JSON.stringify({ ...hold, organization_id: USER }),
    403,
  ],
])('%s is answered in both ways alike', async (_name, path, body, status) => {
  const [short, long] = [await post(path, body), await post(path, body, LONG)]
  expect(short.answer).toEqual(long.answer)
  expect(short.answer.status).toBe(status)
})

test('what breaks unforeseen is answered 500, and the process goes on', async () => {
  isBroken = true
  expect((await post('/v1/events', JSON.stringify(usage()))).answer).toMatchObject({ status: 500 })
  isBroken = false
  expect((await post('/v1/events', JSON.stringify(usage()))).answer).toMatchObject({ status: 202 })
})

test('one request too many is refused', async () => {
  current = 11
  expect((await post('/v1/events', JSON.stringify(usage()))).answer).toMatchObject({
    status: 429,
    headers: { 'retry-after': '30', ratelimit: '"metering";r=0;t=30' },
  })
})
