import type { Servers } from '@tollgate/local-stack'
import { startTestServers } from '@tollgate/local-stack/testing'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { sampleEnforcement } from '../src/testing/claims.ts'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken, usageEvent } from './support/seed.ts'
import { newSecret, startApi, type TestApi } from './support/start-api.ts'

let servers: Servers
let api: TestApi
let openApi: TestApi
let db: pg.Pool
let organization: string
let user: string
let key: string
let supabaseToken: string
let token: string
let env: Record<string, string>

beforeAll(async () => {
  servers = await startTestServers()
  const secrets = {
    LIBRECHAT_JWT_SECRET: newSecret(),
    JWT_REFRESH_SECRET: newSecret(),
    SUPABASE_JWT_SECRET: newSecret(),
  }
  env = { REDIS_URL: servers.redisUrl, DATABASE_URL: servers.databaseUrl, ...secrets }
  db = new pg.Pool({ connectionString: servers.databaseUrl, max: 1 })
  db.on('error', () => undefined)
  organization = await addOrganization(db)
  user = await addUser(db, organization)
  key = await addKey(db, ['events:write', 'reservations:write'])
  supabaseToken = await signSupabaseToken(user, secrets.SUPABASE_JWT_SECRET)
  api = await startApi(env)
  openApi = await startApi({ ...env, GATE_FAIL_MODE: 'open' })
  token = (await login()).body.token ?? ''
  await untilVerified(200)
})
afterAll(async () => {
  await api.stop()
  await openApi.stop()
  await db.end()
  await servers.stop()
})

interface Body {
  token?: string
  reason?: string
  accepted?: number
}

const login = () => call<Body>(api.url, '/api/librechat/auth', { method: 'POST', token: supabaseToken })
const verify = (url = api.url) => call<Body>(url, '/api/auth/verify', { token })
const post = (headers: Record<string, string> = {}) =>
  call<Body>(api.url, '/v1/events', { method: 'POST', token: key, json: usageEvent(organization, user), headers })
const untilVerified = (status: number, url = api.url) =>
  vi.waitFor(async () => expect((await verify(url)).status).toBe(status), { timeout: 15_000, interval: 50 })
const untilReady = () =>
  vi.waitFor(async () => expect((await call(api.url, '/readyz')).status).toBe(200), { timeout: 15_000, interval: 50 })
const inboxEvents = async (): Promise<number> => {
  const { rows } = await db.query(
    'select coalesce(sum(jsonb_array_length(events)), 0)::int as n from tollgate.event_inbox',
  )
  return rows[0].n
}

async function timed<T>(work: () => Promise<T>): Promise<[result: T, ms: number]> {
  const begin = performance.now()
  return [await work(), performance.now() - begin]
}

describe('Redis away', () => {
  beforeAll(() => servers.redis.kill())
  afterAll(async () => {
    await servers.redis.start()
    await untilReady()
  })

  test('events are parked in Postgres and answered 202, soon', async () => {
    const before = await inboxEvents()
    const times: number[] = []
    for (let round = 0; round < 50; round++) {
      const [answer, ms] = await timed(() => post())
      expect(answer).toMatchObject({ status: 202, body: { accepted: 1, rejected: [] } })
      times.push(ms)
    }
    expect(await inboxEvents()).toBe(before + 50)
    expect(times.toSorted((one, other) => one - other)[48]).toBeLessThan(500)
  })

  test('Prefer: wait is answered 202 at once: nobody says when the inbox is drained', async () => {
    const [answer, ms] = await timed(() => post({ prefer: 'wait=10' }))
    expect(answer.status).toBe(202)
    expect(answer.headers.get('preference-applied')).toBeNull()
    expect(ms).toBeLessThan(2_000)
  })

  test('logins go on, and their events wait in the outbox', async () => {
    const waiting = async () => (await db.query('select from tollgate.session_event_outbox')).rowCount ?? 0
    const before = await waiting()
    expect((await login()).status).toBe(200)
    expect(await waiting()).toBe(before + 1)
  })

  test('the gate keeps its lease by reading Postgres, and hears of a revocation there', async () => {
    for (const end = Date.now() + 4_000; Date.now() < end; ) expect((await verify()).status).toBe(200)
    await db.query(
      `insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
       values ($1, 'revoked', 0, '2026-11-01', '2026-12-01', 'x')`,
      [organization],
    )
    await untilVerified(403)
    await db.query(
      `update tollgate.enforcement_states set state = 'active', revision = nextval('tollgate.enforcement_revision')
       where organization_id = $1`,
      [organization],
    )
    await untilVerified(200)
  })

  test('the instance stays in the load balancer', async () => {
    expect((await call(api.url, '/readyz')).status).toBe(200)
  })
})

test('with Redis back, events go to the queue again, without a restart', async () => {
  const before = await inboxEvents()
  await vi.waitFor(async () => {
    const parked = await inboxEvents()
    await post()
    expect(await inboxEvents()).toBe(parked)
  }, 15_000)
  expect(await inboxEvents()).toBeGreaterThanOrEqual(before)
})

describe('Postgres away', () => {
  beforeAll(async () => {
    await post()
    // As the enforcer leaves it; a gate that had to resume its subscription just now reads it here.
    const redis = new Redis(servers.redisUrl)
    const active = sampleEnforcement({ organization_id: organization, revision: '2', version: 0 })
    await redis.hset('tollgate:enforcement', organization, JSON.stringify(active))
    await vi.waitFor(async () => expect((await redis.pubsub('NUMSUB', 'tollgate:enforcement'))[1]).toBe(2), {
      timeout: 10_000,
    })
    redis.disconnect()
    await servers.postgres.kill()
  })
  afterAll(async () => {
    await servers.postgres.start()
    await untilReady()
  })

  test('plain ingest goes on through Redis, with the key that was seen before', async () => {
    for (let round = 0; round < 20; round++) expect((await post()).status).toBe(202)
  })

  test('Prefer: wait is answered 503 within two seconds, and nothing is taken: no commit could be told of', async () => {
    for (let round = 0; round < 3; round++) {
      const [answer, ms] = await timed(() => post({ prefer: 'wait=10' }))
      expect(answer).toMatchObject({ status: 503, body: { reason: 'outcome_unavailable' } })
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(ms).toBeLessThan(2_000)
    }
    expect((await post()).status).toBe(202)
  })

  test('events of a user whom nobody can check are taken: the worker judges', async () => {
    const event = usageEvent(organization, '5b1f5a5e-0000-4000-8000-00000000beef')
    const answer = await call(api.url, '/v1/events', { method: 'POST', token: key, json: event })
    expect(answer.status).toBe(202)
  })

  test('what needs Postgres is answered 503 within two seconds', async () => {
    const [answer, ms] = await timed(login)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(JSON.stringify(answer.body)).not.toMatch(/ECONNREFUSED|postgres:|127\.0\.0\.1/)
    expect(ms).toBeLessThan(2_000)
    const unknownKey = 'tg_0123456789abcdef0123456789abcdef'
    expect((await call(api.url, '/v1/events', { method: 'POST', token: unknownKey, json: {} })).status).toBe(503)
  })

  test('nothing is held, 503 within two seconds; usage that names a hold is taken all the same', async () => {
    const json = { organization_id: organization, user_id: user, session_id: 'chat-1', total_tokens: 5 }
    const [answer, ms] = await timed(() => call(api.url, '/v1/reservations', { method: 'POST', token: key, json }))
    expect(answer).toMatchObject({ status: 503, body: { type: 'https://tollgate.dev/problems/unavailable' } })
    expect(ms).toBeLessThan(2_000)
    const event = usageEvent(organization, user, { reservation_id: user })
    expect((await call(api.url, '/v1/events', { method: 'POST', token: key, json: event })).status).toBe(202)
  })

  test('the gate keeps its lease by its heartbeats', async () => {
    for (const end = Date.now() + 3_000; Date.now() < end; ) expect((await verify()).status).toBe(200)
  })
})

describe('both away', () => {
  let killedAtMs: number
  beforeAll(async () => {
    await post()
    await untilVerified(200)
    killedAtMs = performance.now()
    await Promise.all([servers.redis.kill(), servers.postgres.kill()])
  })
  afterAll(async () => {
    await Promise.all([servers.redis.start(), servers.postgres.start()])
  })

  test('verify still answers within the lease: it asks neither of them', async () => {
    expect((await verify()).status).toBe(200)
    expect(performance.now() - killedAtMs).toBeLessThan(2_000)
  })

  test('events are refused with 503 and Retry-After, never with a false 2xx, in time', async () => {
    for (let round = 0; round < 5; round++) {
      const [answer, ms] = await timed(() => post())
      expect(answer.status).toBe(503)
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(ms).toBeLessThan(2_000)
    }
  })

  test('no token is issued unrecorded', async () => {
    expect((await login()).status).toBe(503)
  })

  test('the lease runs out: closed refuses, open goes on with what it knew', async () => {
    await untilVerified(503)
    const answer = await verify()
    expect(answer).toMatchObject({ body: { reason: 'gate_unavailable' } })
    expect(answer.headers.get('retry-after')).toBe('1')
    expect((await verify(openApi.url)).status).toBe(200)
    expect((await call(api.url, '/readyz')).status).toBe(503)
    expect((await call(api.url, '/livez')).status).toBe(200)
    expect((await call<string>(api.url, '/metrics')).body).toMatch(/tollgate_gate_lease\{[^}]*\} 0/)
  })
})

test('with both back, everything works again within 15 s, without a restart', async () => {
  await untilVerified(200)
  await untilReady()
  await vi.waitFor(async () => expect((await login()).status).toBe(200), 15_000)
  expect((await post()).status).toBe(202)
})

test('a Redis that hangs delays a batch once a second at most, and every batch is on disk', async () => {
  const { pid } = servers.redis
  if (pid === null) throw new Error('Redis does not run')
  const before = await inboxEvents()
  process.kill(pid, 'SIGSTOP')
  try {
    const answers = await Promise.all(Array.from({ length: 20 }, () => timed(() => post())))
    for (const [answer, ms] of answers) {
      expect(answer.status).toBe(202)
      expect(ms).toBeLessThan(2_000)
    }
    const [quick, quickMs] = await timed(() => post())
    expect(quick.status).toBe(202)
    expect(quickMs).toBeLessThan(500)
    expect(await inboxEvents()).toBe(before + 21)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await untilReady()
})
