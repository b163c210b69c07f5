import { type PublishedPosition, positionsKey } from '@tollgate/shared/contracts'
import { queueAddress, shardOf } from '@tollgate/shared/queues'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { sampleEnforcement } from '../src/testing/claims.ts'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken, usageEvent } from './support/seed.ts'
import { type Bench, openBench, startApi } from './support/start-api.ts'

let bench: Bench
let key: string
beforeAll(async () => {
  bench = await openBench()
  key = await addKey(bench.db, ['events:write', 'reservations:write'])
})
afterAll(() => bench.stop())

let organization: string
let user: string
let token: string
let refreshToken: string
beforeEach(async () => {
  organization = await addOrganization(bench.db, { max_tokens: 100_000 })
  user = await addUser(bench.db, organization)
  const signedIn = await signSupabaseToken(user, bench.secrets.supabase)
  const login = await call<{ token: string; refresh_token: string }>(bench.api.url, '/api/librechat/auth', {
    method: 'POST',
    token: signedIn,
  })
  token = login.body.token
  refreshToken = login.body.refresh_token
})

const DAY_MS = 86_400_000
const position = (change: Partial<PublishedPosition> = {}): PublishedPosition => ({
  ...{
    organization_id: organization,
    limit_tokens: '100000',
    used_tokens: '30000',
    reserved_tokens: '5000',
    evaluate_at: null,
  },
  period_start: new Date(Date.now() - 20 * DAY_MS).toISOString(),
  period_end: new Date(Date.now() + 10 * DAY_MS).toISOString(),
  as_of_ms: Date.now(),
  ...change,
})
const publish = (...positions: PublishedPosition[]) =>
  bench.redis.publish(positionsKey(bench.namespace), JSON.stringify(positions))
const verify = (url = bench.api.url) => call(url, '/api/auth/verify', { token })
const remainingOf = ({ headers }: { headers: Headers }) => /;r=(\d+);/.exec(headers.get('ratelimit') ?? '')?.[1]
const untilRemaining = (expected: string | undefined, url?: string) =>
  vi.waitFor(async () => expect(remainingOf(await verify(url))).toBe(expected), { timeout: 10_000, interval: 20 })

test('verify shows what was published last, and the oldest never wins', async () => {
  expect((await verify()).headers.get('ratelimit')).toBeNull()
  await publish(position())
  await untilRemaining('65000')
  expect((await verify()).headers.get('ratelimit-policy')).toBe(`"monthly-tokens";q=100000;w=${30 * 86_400}`)
  await publish(position({ used_tokens: '1', as_of_ms: Date.now() - 60_000 }), position({ used_tokens: '40000' }))
  await untilRemaining('55000')
})

test('an instance that starts later reads the hash', async () => {
  await bench.redis.hset(positionsKey(bench.namespace), organization, JSON.stringify(position()))
  const late = await startApi(bench.env)
  try {
    await vi.waitFor(async () => expect((await verify(late.url)).status).toBe(200), 10_000)
    await untilRemaining('65000', late.url)
  } finally {
    await late.stop()
  }
})

test('a period that has ended, or no limit, shows nothing', async () => {
  await publish(position())
  await untilRemaining('65000')
  await publish(position({ period_end: new Date(Date.now() - 1_000).toISOString() }))
  await untilRemaining(undefined)
  await publish(position({ limit_tokens: null }))
  await untilRemaining(undefined)
})

test('events of one organization show it, of several none', async () => {
  await publish(position())
  await untilRemaining('65000')
  const post = (json: unknown) => call(bench.api.url, '/v1/events', { method: 'POST', token: key, json })
  expect(remainingOf(await post([usageEvent(organization, user), usageEvent(organization, user)]))).toBe('65000')
  const other = await addOrganization(bench.db)
  const mixed = [usageEvent(organization, user), usageEvent(other, await addUser(bench.db, other))]
  expect(await post(mixed)).toMatchObject({ status: 202, body: { accepted: 2 } })
  expect((await post(mixed)).headers.get('ratelimit')).toBeNull()
})

test('what a reservation has learned is shown at once, and its end as soon as it is published', async () => {
  const post = (path: string, json?: unknown) =>
    call<{ id: string }>(bench.api.url, `/v1/reservations${path}`, { method: 'POST', token: key, json })
  const asked = { organization_id: organization, user_id: user, session_id: 'chat-1', total_tokens: 20_000 }
  const held = await post('', asked)
  expect(remainingOf(held)).toBe('80000')
  expect(remainingOf(await verify())).toBe('80000')
  const committed = await post(`/${held.body.id}/commit`, usageEvent(organization, user))
  expect(committed.status).toBe(202)
  expect(remainingOf(committed)).toBe('80000')
  const changed = `${bench.namespace}:positions-changed`
  await vi.waitFor(async () => expect(await bench.redis.smembers(changed)).toContain(organization), 10_000)
})

test('usage is urgent by what was accepted since a position was published, whatever reservations say meanwhile', async () => {
  await publish(position({ used_tokens: '0', reserved_tokens: '0', evaluate_at: '10000' }))
  await untilRemaining('100000')
  const post = (path: string, json: unknown) => call(bench.api.url, path, { method: 'POST', token: key, json })
  const use = () => post('/v1/events', usageEvent(organization, user, { input_tokens: 4_000, output_tokens: 0 }))
  await use()
  const hold = { organization_id: organization, user_id: user, session_id: 'chat-1', total_tokens: 1_000 }
  expect(remainingOf(await post('/v1/reservations', hold))).toBe('99000')
  await use()
  const { prefix, queue } = queueAddress('usage-events', shardOf(organization, 2))
  const [next] = await bench.redis.lrange(`${prefix}:${queue}:wait`, -1, -1)
  expect(await bench.redis.hget(`${prefix}:${queue}:${next}`, 'opts')).toContain('"lifo":true')
})

test('who is refused for a state is shown it too, by verify, the proxy and reservations; a credential that is no longer good is told nothing', async () => {
  await publish(position({ used_tokens: '120000' }))
  await untilRemaining('0')
  const refused = async (reason: string) => {
    const holds = { organization_id: organization, user_id: user, session_id: 'chat-1', total_tokens: 1 }
    const answers = await Promise.all([
      verify(),
      call(bench.api.url, '/v1/forward-auth', { token }),
      call(bench.api.url, '/v1/reservations', { method: 'POST', token: key, json: holds }),
    ])
    for (const { status, body, headers } of answers) {
      expect({ status, body }).toMatchObject({ status: 403, body: { reason } })
      expect(headers.get('ratelimit')).toMatch(/^"monthly-tokens";r=0;t=\d+$/)
      expect(headers.get('ratelimit-policy')).toBe(`"monthly-tokens";q=100000;w=${30 * 86_400}`)
    }
  }
  const say = (change: object) => {
    const state = sampleEnforcement({ organization_id: organization, state: 'revoked', version: 1, ...change })
    return bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(state))
  }
  const untilReason = (reason: string) =>
    vi.waitFor(async () => expect((await verify()).body.reason).toBe(reason), { timeout: 10_000, interval: 20 })
  await say({ user_id: user, revision: '910000' })
  await untilReason('user_revoked')
  await refused('user_revoked')
  await say({ revision: '910001' })
  await untilReason('organization_revoked')
  await refused('organization_revoked')
  const json = { refresh_token: refreshToken }
  expect((await call(bench.api.url, '/api/librechat/logout', { method: 'POST', json })).status).toBeLessThan(300)
  await untilReason('session_ended')
  expect((await verify()).headers.get('ratelimit')).toBeNull()
})
