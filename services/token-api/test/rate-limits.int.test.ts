import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { countTogether } from '../src/manners/count-together.ts'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken, usageEvent } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'

const LIMITS = 'people=10,servers=12,metering=1000,anonymous=30'
let bench: Bench
let second: TestApi
let organization: string

beforeAll(async () => {
  bench = await openBench({ env: { RATE_LIMITS: LIMITS, TRUST_PROXY: 'true' } })
  second = await startApi(bench.env)
  organization = await addOrganization(bench.db)
})
afterAll(async () => {
  await second.stop()
  await bench.stop()
})
// A window is a minute of the clock: what is counted in this one must not be looked for in the next.
beforeEach(async () => {
  const leftMs = 60_000 - (Date.now() % 60_000)
  if (leftMs < 6_000) await new Promise((resolve) => setTimeout(resolve, leftMs))
}, 20_000)

const quota = (token: string, api = bench.api) => call(api.url, `/v1/organizations/${organization}/quota`, { token })
const countUntilLimited = async (request: () => ReturnType<typeof quota>, most: number): Promise<number> => {
  for (let passed = 0; passed < most; passed++) if ((await request()).status === 429) return passed
  return most
}

describe('a caller', () => {
  test('is told the limit and what is left of it, and refused beyond it, with the time to wait', async () => {
    const token = await addKey(bench.db, ['quota:read'])
    await quota(token)
    const first = await quota(token)
    expect(first.headers.get('ratelimit-policy')).toBe('"servers";q=12;w=60')
    expect(first.headers.get('ratelimit')).toMatch(/^"servers";r=11;t=\d+$/)
    expect(await countUntilLimited(() => quota(token), 50)).toBe(11)
    const refused = await quota(token)
    expect(refused).toMatchObject({ status: 429, body: { type: 'https://tollgate.dev/problems/too-many-requests' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.headers.get('ratelimit')).toMatch(/^"servers";r=0;t=\d+$/)
  })

  test('is told beside it where its organization stands', async () => {
    const key = await addKey(bench.db, ['reservations:write'])
    const home = await addOrganization(bench.db, { max_tokens: 100_000 })
    const hold = { organization_id: home, user_id: await addUser(bench.db, home), session_id: 'c', total_tokens: 1_000 }
    const reserve = () => call(bench.api.url, '/v1/reservations', { method: 'POST', token: key, json: hold })
    await reserve()
    const held = await reserve()
    expect(held.status).toBe(201)
    const names = (field: string) =>
      held.headers
        .get(field)
        ?.split(', ')
        .map((item) => item.split(';')[0])
    expect(names('ratelimit-policy')).toEqual(['"metering"', '"monthly-tokens"'])
    expect(names('ratelimit')).toEqual(['"metering"', '"monthly-tokens"'])
  })

  test('takes nothing from another', async () => {
    const token = await signSupabaseToken(await addUser(bench.db, organization), bench.secrets.supabase)
    expect(await countUntilLimited(() => quota(token), 50)).toBe(11)
    const neighbour = await signSupabaseToken(await addUser(bench.db, organization), bench.secrets.supabase)
    expect((await quota(neighbour)).status).toBe(200)
  })

  test('is counted over all instances', async () => {
    const token = await addKey(bench.db, ['quota:read'])
    await quota(token)
    for (let round = 0; round < 10; round++) await quota(token)
    await quota(token, second)
    // The sums are exchanged ten times a second.
    await vi.waitFor(async () => expect((await quota(token, second)).status).toBe(429), {
      timeout: 2_000,
      interval: 50,
    })
  })

  test('has a limit of its own for what it does at each model call', async () => {
    const token = await addKey(bench.db, ['events:write'])
    const json = usageEvent(organization, await addUser(bench.db, organization))
    const post = () => call(bench.api.url, '/v1/events', { method: 'POST', token, json })
    expect(await countUntilLimited(post, 20)).toBe(20)
  })
})

test('made-up credentials share one allowance, and leave the good ones alone', async () => {
  const good = await addKey(bench.db, ['quota:read'])
  expect((await quota(good)).status).toBe(200)
  let tries = 0
  const guess = () => quota(`tg_${String(tries++).padStart(32, '0')}`)
  expect(await countUntilLimited(guess, 100)).toBeLessThan(30)
  expect((await quota(good)).status).toBe(200)
})

// Each test below comes from an address of its own.
test('no spelling of a credential, and no other token of its owner, gives a new allowance', async () => {
  const user = await addUser(bench.db, organization)
  const one = await signSupabaseToken(user, bench.secrets.supabase)
  const other = await signSupabaseToken(user, bench.secrets.supabase, { session_id: randomUUID() })
  const spellings = [`Bearer ${one}`, `bearer ${one}`, `BEARER   ${one}`, `Bearer ${other}`]
  let tries = 0
  const ask = () => {
    const headers = { authorization: spellings[tries % 4] ?? '', cookie: `junk=${tries++}` }
    return call(bench.api.url, '/v1/sessions', { headers: { ...headers, 'x-forwarded-for': '192.0.2.1' } })
  }
  // Two tokens are unknown at first.
  expect(await countUntilLimited(ask, 60)).toBe(12)
})

// Routes whose answer says nothing of the Authorization header.
test.each([
  ['/v1/handoff', { type: 'application/x-www-form-urlencoded', json: 'token=none&org=none' }, '192.0.2.2'],
  [
    '/api/librechat/logout',
    { headers: { cookie: '__Secure-tollgate-refresh=x', origin: 'https://a.example' } },
    '192.0.2.3',
  ],
])('made-up credentials gain nothing on %s', async (path, request, address) => {
  let tries = 0
  const guess = () => {
    const own = { authorization: `Bearer tg_made_up_${tries++ >> 2}`, 'x-forwarded-for': address }
    const headers = 'headers' in request ? { ...request.headers, ...own } : own
    return call(bench.api.url, path, { method: 'POST', ...request, headers })
  }
  expect((await guess()).status).toBe(403)
  expect(await countUntilLimited(guess, 100)).toBe(29)
})

test('verify and operations routes are not limited, and carry no RateLimit fields', async () => {
  for (const path of ['/api/auth/verify', '/livez']) {
    const answers = await Promise.all(Array.from({ length: 40 }, () => call(bench.api.url, path)))
    expect(answers.map(({ status }) => status)).not.toContain(429)
    expect(answers[0]?.headers.get('ratelimit')).toBeNull()
  }
})

test('without Redis each instance counts for itself, and hands its sums over when Redis is back', async () => {
  const redis = new Redis(bench.env.REDIS_URL ?? '', { enableOfflineQueue: false, maxRetriesPerRequest: 0 })
  await vi.waitFor(() => expect(redis.status).toBe('ready'), 10_000)
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  // Only this test says when sums are exchanged.
  const options = { redis, namespace: randomUUID(), now: () => 30_000, onError, intervalMs: 2 ** 30 }
  const [one, other] = [countTogether(options), countTogether(options)]
  try {
    one.count('a')
    await one.exchange()
    redis.disconnect()
    await vi.waitFor(() => expect(redis.status).toBe('end'), 10_000)
    expect([one.count('a'), one.count('a')].map(({ current }) => current)).toEqual([2, 3])
    expect(other.count('a')).toEqual({ current: 1, ttlMs: 30_000 })
    await one.exchange()
    await one.exchange()
    expect(errors).toHaveLength(1)
    await redis.connect()
    await one.exchange()
    await other.exchange()
    expect(other.count('a').current).toBe(5)
  } finally {
    one.stop()
    other.stop()
    redis.disconnect()
  }
})
