import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { createPgRpc, type RpcStore } from '@tollgate/shared/store'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { sampleEnforcement } from '../src/testing/claims.ts'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, usageEvent } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'
import { startWorker } from './support/worker.ts'

let bench: Bench
let second: TestApi
let worker: RpcStore
let key: string
beforeAll(async () => {
  bench = await openBench()
  second = await startApi(bench.env)
  worker = createPgRpc({
    ...{ connectionString: bench.workerUrl, max: 1, applicationName: 'test', statementTimeoutMs: 10_000 },
    onError: () => undefined,
  })
  key = await addKey(bench.db, ['reservations:write', 'events:write', 'quota:read'])
})
afterAll(async () => {
  await worker.close()
  await second.stop()
  await bench.stop()
})

const LIMIT = 100_000
let organization: string
let user: string
beforeEach(async () => {
  organization = await addOrganization(bench.db, { max_tokens: LIMIT })
  user = await addUser(bench.db, organization)
})

interface Hold {
  id: string
  total_tokens: number
  expires_at: string
  remaining: number | null
  state: string
}
/** As a client that repeats what was answered 503: on a busy machine Postgres may be too slow for one second. */
const post = async <Body = Hold>(path: string, json?: unknown, options: object = {}, url = bench.api.url) => {
  for (;;) {
    const answer = await call<Body>(url, path, { method: 'POST', token: key, json, ...options })
    if (answer.status !== 503) return answer
  }
}
const asked = (total: number, change: object = {}) => ({
  ...{ organization_id: organization, user_id: user, session_id: 'chat-1', total_tokens: total },
  ...change,
})
const reserve = (total: number, change: object = {}, headers: object = {}, url = bench.api.url) =>
  post('/v1/reservations', asked(total, change), { headers: { 'idempotency-key': randomUUID(), ...headers } }, url)
const usage = (input: number, change: object = {}) =>
  usageEvent(organization, user, { input_tokens: input, output_tokens: 0, ...change })
const quota = async () => {
  const { body } = await call<{ used: number; reserved: number; remaining: number }>(
    bench.api.url,
    `/v1/organizations/${organization}/quota`,
    { token: key },
  )
  return [body.used, body.reserved, body.remaining]
}
const record = async () => (await worker.rpc('drain_inbox', { max_rows: 1_000 }))[0]?.recorded

describe('holding', () => {
  test('answers 201 with what is left, and the quota shows it', async () => {
    const { status, body, headers } = await reserve(30_000, { ttl_seconds: 60 })
    expect(status).toBe(201)
    expect(body).toMatchObject({ total_tokens: 30_000, remaining: 70_000, state: 'held' })
    expect(Date.parse(body.expires_at)).toBeGreaterThan(Date.now() + 50_000)
    expect(headers.get('ratelimit-policy')).toMatch(/^"monthly-tokens";q=100000;w=\d{7}$/)
    expect(headers.get('ratelimit')).toMatch(/^"monthly-tokens";r=70000;t=\d+$/)
    expect(await quota()).toEqual([0, 30_000, 70_000])
  })

  test('answers the same with and without a wish that takes it the long way', async () => {
    const answers = [{}, { prefer: 'handling=lenient' }].map(async (headers) => {
      const home = await addOrganization(bench.db, { max_tokens: LIMIT })
      const change = { organization_id: home, user_id: await addUser(bench.db, home) }
      const path = '/v1/reservations'
      const held = await post(path, asked(30_000, change), { headers })
      const refused = await post<Record<string, unknown>>(path, asked(80_000, change), { headers })
      const bad = await post<Record<string, unknown>>(path, asked(0, change), { headers })
      const { id: _id, expires_at: _at, ...body } = held.body
      const { decision_id: _why, ...problem } = refused.body
      const said = [held, refused].map(({ headers: own }) => [own.get('ratelimit-policy'), own.get('ratelimit')])
      return { statuses: [held, refused, bad].map(({ status }) => status), body, problem, bad: bad.body, said }
    })
    const [short, long] = await Promise.all(answers)
    const withoutSeconds = (answer: typeof short) =>
      JSON.stringify(answer).replaceAll(/t=\d+/g, 't=').replaceAll(/w=\d+/g, 'w=')
    expect(short?.statuses).toEqual([201, 429, 400])
    expect(withoutSeconds(short)).toBe(withoutSeconds(long))
  })

  test('answers 429 with the limit in the way and the end of the period', async () => {
    await bench.db.query(
      `insert into tollgate.period_totals (organization_id, period_start, used_tokens)
       values ($1, date_trunc('month', now() at time zone 'UTC') at time zone 'UTC', 90000)`,
      [organization],
    )
    const { status, body, headers } = await reserve(20_000)
    expect(status).toBe(429)
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(body).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      'violated-policies': ['monthly-tokens'],
      scope: 'organization',
      ...{ limit: LIMIT, used: 90_000, reserved: 0, remaining: 10_000, requested: 20_000 },
    })
    const untilEndMs = Date.parse(Reflect.get(body, 'period_end')) - Date.now()
    expect(Math.abs(Number(headers.get('retry-after')) - untilEndMs / 1_000)).toBeLessThan(30)
    expect(headers.get('ratelimit')).toMatch(/;r=10000;/)
  })

  test('where only holds stand in the way, Retry-After is the end of the first of them', async () => {
    await reserve(90_000, { ttl_seconds: 60 })
    const { status, headers } = await reserve(20_000)
    expect(status).toBe(429)
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(62)
  })

  test('a repeated Idempotency-Key gives the same hold on every instance, another request under it 422', async () => {
    const headers = { 'idempotency-key': '"call-1"' }
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => reserve(500, {}, headers, i % 2 ? second.url : bench.api.url)),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') !== 'true')).toHaveLength(1)
    expect(await reserve(501, {}, headers)).toMatchObject({
      status: 422,
      body: { type: 'https://tollgate.dev/problems/idempotency-key-reused' },
    })
    expect(await quota()).toEqual([0, 500, LIMIT - 500])
  })

  test('two hundred at once over two instances: exactly the affordable ones pass', async () => {
    const urls = Array.from({ length: 200 }, (_, i) => (i % 2 ? second.url : bench.api.url))
    const answers = await Promise.all(urls.map((url) => reserve(999, {}, {}, url)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(100)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(100)
    expect(await quota()).toEqual([0, 99_900, 100])
  })

  test('holds nothing for an organization that is revoked', async () => {
    const message = sampleEnforcement({ organization_id: organization, state: 'revoked', revision: '100' })
    await bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(message))
    await vi.waitFor(async () => expect((await reserve(1)).status).toBe(403), 10_000)
    expect(await reserve(1)).toMatchObject({ status: 403, body: { reason: 'organization_revoked' } })
  })

  test.each([
    ['nothing', {}, 0],
    ['no number', { total_tokens: '5' }, 1],
    ['too long', { ttl_seconds: 3_601 }, 1],
    ['no user', { user_id: 'x' }, 1],
  ])('refuses %s with 400', async (_name, change, total) => {
    expect(await reserve(total, change)).toMatchObject({ status: 400 })
  })

  test('needs a key with the scope, for its own organization and members', async () => {
    const foreign = await addKey(bench.db, ['reservations:write'], randomUUID())
    const lacking = await addKey(bench.db, ['events:write'])
    const status = async (token: string | undefined, change: object = {}) =>
      (await post('/v1/reservations', asked(1, change), { token })).status
    expect(await status(foreign)).toBe(403)
    expect(await status(lacking)).toBe(403)
    expect(await status(undefined)).toBe(401)
    expect(await status('tg_unknownunknownunknown')).toBe(401)
    // What else may be wrong is not looked at for somebody who may not hold.
    expect(await status('tg_unknownunknownunknown', { total_tokens: '5' })).toBe(401)
    expect(await status(lacking, { total_tokens: '5' })).toBe(403)
    expect(await status(key, { user_id: randomUUID() })).toBe(403)
    expect(await status(key, { organization_id: randomUUID() })).toBe(403)
  })
})

describe('settling', () => {
  test('a commit ends the lease, the ledger ends the hold', async () => {
    const { body: hold } = await reserve(30_000)
    const event = usage(20_000)
    expect(await post(`/v1/reservations/${hold.id}/commit`, event)).toMatchObject({
      status: 202,
      body: { id: hold.id, state: 'committing', late: false },
    })
    expect(await quota()).toEqual([0, 30_000, 70_000])
    expect(await record()).toBe(1)
    expect(await quota()).toEqual([20_000, 0, 80_000])
    expect((await post(`/v1/reservations/${hold.id}/commit`, event)).body).toMatchObject({ state: 'settled' })
    expect(await post(`/v1/reservations/${hold.id}/commit`, usage(1))).toMatchObject({
      status: 409,
      body: { reason: 'reservation_closed', state: 'settled' },
    })
    expect(await post(`/v1/reservations/${hold.id}/release`)).toMatchObject({ status: 409 })
    expect(await quota()).toEqual([20_000, 0, 80_000])
  })

  test('fifty commits at once count once', async () => {
    const { body: hold } = await reserve(30_000)
    const event = usage(20_000)
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        post(`/v1/reservations/${hold.id}/commit`, event, {}, i % 2 ? second.url : bench.api.url),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    await record()
    expect(await quota()).toEqual([20_000, 0, 80_000])
  })

  test('a usage event of POST /v1/events that names its hold settles it too', async () => {
    const { body: hold } = await reserve(30_000)
    const events = [usage(1_000), usage(20_000, { reservation_id: hold.id })]
    expect(await post('/v1/events', events)).toMatchObject({ status: 202, body: { accepted: 2 } })
    await bench.db.query('update tollgate.reservations set expires_at = now() where id = $1', [hold.id])
    expect(await quota()).toEqual([0, 30_000, 70_000])
    expect(await record()).toBe(1)
    expect(await quota()).toEqual([20_000, 0, 80_000])
  })

  test('with Prefer: wait such an event is answered after its commit, which has settled the hold', async () => {
    const recorder = startWorker(bench.env.REDIS_URL ?? '', bench.workerUrl)
    const { body: hold } = await reserve(30_000)
    const events = [usage(1_000), usage(20_000, { reservation_id: hold.id })]
    const answer = () => post<object>('/v1/events', events, { headers: { prefer: 'wait=20' } })
    const first = await answer()
    expect(first).toMatchObject({ status: 200, body: { recorded: 2, duplicate: 0 } })
    expect(first.headers.get('preference-applied')).toBe('wait')
    expect(await quota()).toEqual([21_000, 0, 79_000])
    expect(await answer()).toMatchObject({ status: 200, body: { recorded: 0, duplicate: 2 } })
    await recorder.stop()
  })

  test('waited for in vain, it is answered 202 and its hold does not run out', async () => {
    const { body: hold } = await reserve(30_000)
    const event = usage(20_000, { reservation_id: hold.id })
    expect(await post('/v1/events', event, { headers: { prefer: 'wait=1' } })).toMatchObject({ status: 202 })
    await bench.db.query('update tollgate.reservations set expires_at = now() where id = $1', [hold.id])
    expect(await quota()).toEqual([0, 30_000, 70_000])
    expect(await record()).toBe(1)
    expect(await quota()).toEqual([20_000, 0, 80_000])
  })

  test('a release gives everything back, as often as it is asked', async () => {
    const { body: hold } = await reserve(30_000)
    const path = `/v1/reservations/${hold.id}/release`
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(path)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(await quota()).toEqual([0, 0, LIMIT])
    const late = await post(`/v1/reservations/${hold.id}/commit`, usage(5))
    expect(late).toMatchObject({ status: 202, body: { late: true } })
    await record()
    expect(await quota()).toEqual([5, 0, LIMIT - 5])
  })

  test('what does not fit the hold is refused and counts nothing', async () => {
    const { body: hold } = await reserve(30_000)
    const path = `/v1/reservations/${hold.id}/commit`
    const stranger = await addUser(bench.db, organization)
    expect((await post(path, usageEvent(organization, stranger))).status).toBe(400)
    expect((await post(path, usage(1, { reservation_id: randomUUID() }))).status).toBe(400)
    expect((await post(path, [usage(1)])).status).toBe(400)
    expect((await post(path, { ...usage(1), type: 'tollgate.session.started.v1' })).status).toBe(400)
    expect((await post(path, { ...usage(1), time: '2020-01-01T00:00:00Z' })).status).toBe(400)
    expect((await post(`/v1/reservations/${randomUUID()}/commit`, usage(1))).status).toBe(404)
    const foreign = await addKey(bench.db, ['reservations:write'], randomUUID())
    expect((await post(path, usage(1), { token: foreign })).status).toBe(403)
    expect((await post(`/v1/reservations/${hold.id}/release`, undefined, { token: foreign })).status).toBe(404)
    expect(await record()).toBe(0)
    expect(await quota()).toEqual([0, 30_000, 70_000])
  })
})

test('fifty aborted sockets leave nothing behind once their leases have run out', async () => {
  const agent = new Agent({ keepAlive: false })
  const body = JSON.stringify(asked(1_000, { ttl_seconds: 1 }))
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': body.length }
  for (let sent = 0; sent < 50; sent++) {
    const aborted = request(`${bench.api.url}/v1/reservations`, { method: 'POST', agent, headers })
    aborted.on('error', () => undefined)
    aborted.end(body, () => setImmediate(() => aborted.destroy()))
  }
  const countHeld = async () => {
    const query = 'select count(*)::int as held from tollgate.reservations where organization_id = $1'
    return (await bench.db.query(query, [organization])).rows[0].held
  }
  await vi.waitFor(async () => expect(await countHeld()).toBeGreaterThan(0), 10_000)
  await vi.waitFor(async () => expect((await reserve(LIMIT, { ttl_seconds: 60 })).status).toBe(201), 20_000)
  expect(await quota()).toEqual([0, LIMIT, 0])
})
