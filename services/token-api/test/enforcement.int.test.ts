import { randomUUID } from 'node:crypto'
import { CONTROL_FIELD, type Enforcement, enforcementSeenKey } from '@tollgate/shared/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { noteSeen } from '../src/gate/note-seen.ts'
import { sampleEnforcement } from '../src/testing/claims.ts'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench, startApi } from './support/start-api.ts'

let bench: Bench
beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.stop())

let organization: string
let user: string
let token: string
beforeEach(async () => {
  organization = await addOrganization(bench.db, { max_tokens: 1_000 })
  user = await addUser(bench.db, organization)
  token = await login()
})

const login = async (): Promise<string> => (await tryLogin()).body.token
const tryLogin = async () =>
  call<{ token: string } & Record<string, unknown>>(bench.api.url, '/api/librechat/auth', {
    method: 'POST',
    token: await signSupabaseToken(user, bench.secrets.supabase),
  })
const verify = (url = bench.api.url) => call(url, '/api/auth/verify', { token })
const untilReason = (reason: string | undefined) =>
  vi.waitFor(async () => expect((await verify()).body.reason).toBe(reason), { timeout: 20_000, interval: 20 })
const publish = (changes: Partial<Enforcement>) => {
  const message = sampleEnforcement({ organization_id: organization, version: 0, revision: '900000', ...changes })
  return bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(message))
}
const revokeUser = () =>
  bench.db.query(
    `insert into tollgate.user_enforcement_states
       (organization_id, user_id, state, version, reason, period_start, period_end, inputs_key)
     values ($1, $2, 'revoked', 1, 'max_tokens_120_percent', '2026-11-01', '2026-12-01', 'x')`,
    [organization, user],
  )
const admin = async () => signSupabaseToken(await addUser(bench.db, organization, 'admin'), bench.secrets.supabase)
const path = (rest: string) => `/v1/organizations/${organization}/${rest}`
const post = <Body>(rest: string, credential: string, json: unknown) =>
  call<Body>(bench.api.url, path(rest), { method: 'POST', token: credential, json })

describe('a user beyond the own limit', () => {
  test('is refused alone, by verify and at login, and says why', async () => {
    await revokeUser()
    await publish({ user_id: user, state: 'revoked', version: 1, reason: 'max_tokens_120_percent' })
    await untilReason('user_revoked')
    expect(await verify()).toMatchObject({ status: 403, body: { type: 'https://tollgate.dev/problems/user-revoked' } })
    expect(await tryLogin()).toMatchObject({ status: 403, body: { reason: 'user_revoked' } })
    user = await addUser(bench.db, organization)
    token = await login()
    expect((await verify()).status).toBe(200)
  })

  test('a downgrade of the user supersedes the token, and a new one says less', async () => {
    await bench.db.query(
      `insert into tollgate.user_enforcement_states
         (organization_id, user_id, state, version, reduced_config, period_start, period_end, inputs_key)
       values ($1, $2, 'downgraded', 1, '{"enabled_models": []}', '2026-11-01', '2026-12-01', 'x')`,
      [organization, user],
    )
    await publish({ user_id: user, state: 'downgraded', version: 1 })
    await untilReason('superseded')
    token = await login()
    const answer = await verify()
    expect(answer).toMatchObject({ status: 200, body: { organization: { librechat_config: { enabled_models: [] } } } })
  })
})

test('a pause lifts refusals at once on a running gate, at logins, and on one that starts later', async () => {
  const pause = async (paused: boolean, revision: string) => {
    await bench.db.query('update tollgate.enforcement_control set paused = $1, revision = $2', [paused, revision])
    const control = { control: true, paused, epoch: 1, version_floor: 0, revision, decision_id: null }
    await bench.redis.hset(`${bench.namespace}:enforcement`, CONTROL_FIELD, JSON.stringify(control))
    await bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(control))
  }
  await revokeUser()
  await publish({ user_id: user, state: 'revoked', version: 1 })
  await untilReason('user_revoked')
  await pause(true, '900001')
  await untilReason(undefined)
  expect((await tryLogin()).status).toBe(200)
  const later = await startApi(bench.env)
  try {
    await vi.waitFor(async () => expect((await verify(later.url)).status).toBe(200), { timeout: 20_000 })
  } finally {
    await later.stop()
  }
  await pause(false, '900002')
  await untilReason('user_revoked')
})

describe('the routes', () => {
  test('a grant is given once per key, and shown with what it has left', async () => {
    const operator = await addKey(bench.db, ['quota:write', 'quota:read'])
    const order = { amount: 500, reason: 'topped up', idempotency_key: randomUUID() }
    const given500 = { amount: 500, priority: 100, left: 500, closed_at: null }
    expect(await post('grants', operator, order)).toMatchObject({ status: 201, body: given500 })
    expect(await post('grants', operator, order)).toMatchObject({ status: 200, body: given500 })
    const other = await post('grants', operator, { ...order, amount: 501 })
    expect(other).toMatchObject({ status: 409, body: { reason: 'idempotency_key_reused' } })
    const list = await call(bench.api.url, path('grants'), { token: operator })
    expect(list.body).toMatchObject({ grants: [{ amount: 500, left: 500, closed_at: null }] })
    const quota = await call(bench.api.url, path('quota'), { token: operator })
    expect(quota.body).toMatchObject({ limit: 1_500, granted: 500 })

    // Voided by the operator alone, once: what is left of it no longer adds to the limit, at once.
    const { id } = (list.body as { grants: { id: string }[] }).grants[0] ?? { id: '' }
    const voided = { voided_by: expect.stringMatching(/^key:/), void_reason: 'a mistake', left: null, spent: 0 }
    for (let time = 0; time < 2; time++) {
      const answer = await post(`grants/${id}/void`, operator, { reason: 'a mistake' })
      expect(answer).toMatchObject({ status: 200, body: { id, ...voided } })
    }
    const { spent: _, ...ended } = voided
    const repeated = { status: 200, body: { id, ...ended, closed_at: expect.any(String) } }
    expect(await post('grants', operator, order)).toMatchObject(repeated)
    const after = await call(bench.api.url, path('quota'), { token: operator })
    expect(after.body).toMatchObject({ limit: 1_000, granted: 0 })
    const trail = `select count(*)::integer as n from tollgate.audit_log where action = 'grant.voided' and details ->> 'grant_id' = $1`
    expect((await bench.db.query(trail, [id])).rows).toEqual([{ n: 1 }])
    expect(await post(`grants/${randomUUID()}/void`, operator, { reason: 'x' })).toMatchObject({ status: 404 })
    // One that is over by itself stays as it is; one that is over already is not given at all.
    const brief = { ...order, idempotency_key: 'brief', expires_at: new Date(Date.now() + 4_000).toISOString() }
    const { body: given } = await post<{ id: string }>('grants', operator, brief)
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(Date.parse(brief.expires_at)), 10_000)
    const over = await post(`grants/${given.id}/void`, operator, { reason: 'x' })
    expect(over).toMatchObject({ status: 409, body: { reason: 'grant_is_over' } })
    expect(await post('grants', operator, { ...brief, idempotency_key: 'late' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/expires_at' }] },
    })
    // What was given is told again, however late it is asked for.
    expect(await post('grants', operator, brief)).toMatchObject({ status: 200, body: { id: given.id } })
    const { body: all } = await call<{ grants: { id: string }[] }>(bench.api.url, path('grants'), { token: operator })
    expect(all.grants.map((grant) => grant.id)).toEqual([given.id, id])
  })

  test('an order is a decision that an admin of the organization can read, page by page', async () => {
    const operator = await addKey(bench.db, ['enforcement:write'])
    const ids: unknown[] = []
    for (const action of ['revoke', 'clear', 'downgrade']) {
      const answer = await post<{ decision_id: string }>('enforcement', operator, { action, reason: `for ${action}` })
      expect(answer.status).toBe(202)
      ids.unshift(answer.body.decision_id)
    }
    expect((await post('enforcement', operator, { action: 'exempt', reason: 'without end' })).status).toBe(400)
    const over = { action: 'revoke', reason: 'over already', until: new Date(Date.now() - 1_000).toISOString() }
    for (const route of ['enforcement', `users/${user}/enforcement`]) {
      const refused = { status: 400, body: { errors: [{ pointer: '#/until' }] } }
      expect(await post(route, operator, over)).toMatchObject(refused)
    }
    const reader = await admin()
    interface Page {
      decisions: { id: string; actor: string; inputs: object }[]
      next: string | null
    }
    const first = await call<Page>(bench.api.url, path('decisions?limit=2'), { token: reader })
    const second = await call<Page>(bench.api.url, path(`decisions?limit=2&before=${first.body.next}`), {
      token: reader,
    })
    expect([...first.body.decisions, ...second.body.decisions].map(({ id }) => id)).toEqual(ids)
    expect(second.body.next).toBeNull()
    const one = await call(bench.api.url, path(`decisions/${ids[0]}`), { token: reader })
    expect(one.body).toMatchObject({ reason: 'ordered_downgrade', inputs: { reason: 'for downgrade' } })
    expect((await call(bench.api.url, path(`decisions/${randomUUID()}`), { token: reader })).status).toBe(404)
  })

  test("an organization's admin limits its own users and nobody else's", async () => {
    const credential = await admin()
    const put = (id: string) =>
      call(bench.api.url, path(`users/${id}/quota`), { method: 'PUT', token: credential, json: { limit: 77 } })
    expect(await put(user)).toMatchObject({ status: 200, body: { limit: 77, used: 0, state: 'active' } })
    expect((await put(await addUser(bench.db, await addOrganization(bench.db)))).status).toBe(404)
    const own = await call(bench.api.url, path(`users/${user}/quota`), {
      token: await signSupabaseToken(user, bench.secrets.supabase),
    })
    expect(own.body).toMatchObject({ limit: 77 })
    const colleague = await signSupabaseToken(await addUser(bench.db, organization), bench.secrets.supabase)
    expect((await call(bench.api.url, path(`users/${user}/quota`), { token: colleague })).status).toBe(403)
  })

  test('one organization is observed by its quota, and enforced again; its own admin changes nothing of that', async () => {
    const put = async (mode: string | null, credential: string) =>
      call(bench.api.url, path('quota'), { method: 'PUT', token: credential, json: { limit: 5, mode } })
    const operator = await addKey(bench.db, ['quota:write'])
    expect(await put('observe', operator)).toMatchObject({ status: 200, body: { mode: 'observe' } })
    expect((await put('enforce', await admin())).status).toBe(403)
    expect(await put('enforce', operator)).toMatchObject({ status: 200, body: { mode: 'enforce' } })
    await put('observe', operator)
    expect(await put(null, operator)).toMatchObject({ status: 200, body: { mode: 'enforce' } })
    expect((await put('never', operator)).status).toBe(400)
    const trail = `select details ->> 'mode' as mode from tollgate.audit_log where target = $1 and details ? 'mode' order by id`
    const { rows } = await bench.db.query(trail, [`organization:${organization}`])
    expect(rows.map(({ mode }) => mode)).toEqual(['observe', 'enforce', 'observe', null])
  })

  test('zone and anchor day are set with the limit, and what is no zone is refused', async () => {
    const operator = await addKey(bench.db, ['quota:write'])
    const put = (period: object) =>
      call(bench.api.url, path('quota'), { method: 'PUT', token: operator, json: { limit: 5, period } })
    expect(await put({ time_zone: 'Europe/Berlin', anchor_day: 31 })).toMatchObject({
      status: 200,
      body: { period: { time_zone: 'Europe/Berlin' } },
    })
    for (const period of [
      { time_zone: 'Mars/Base', anchor_day: 1 },
      { time_zone: '+02:00', anchor_day: 1 },
      { time_zone: 'UTC', anchor_day: 32 },
    ]) {
      expect((await put(period)).status).toBe(400)
    }
  })
})

test('a gate keeps the newest that it was told beside the copy in Redis, and never goes back', async () => {
  const seen = () => bench.redis.hgetall(enforcementSeenKey(bench.namespace))
  const message = sampleEnforcement({ organization_id: randomUUID(), revision: '9007199254740993000' })
  await bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(message))
  const newest = { epoch: '1', revision: message.revision }
  await vi.waitFor(async () => expect(await seen()).toEqual(newest), { timeout: 15_000, interval: 50 })
  const note = (epoch: number, revision: string) => noteSeen(bench.redis, bench.namespace, { epoch, revision })
  await note(1, '12')
  await note(1, '9007199254740992999')
  expect(await seen()).toEqual(newest)
  await note(1, '9007199254740993001')
  expect((await seen()).revision).toBe('9007199254740993001')
  await note(2, '5')
  await note(1, '9007199254740993002')
  expect(await seen()).toEqual({ epoch: '2', revision: '5' })
})
