import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench } from './support/start-api.ts'

let bench: Bench
let key: string
beforeAll(async () => {
  bench = await openBench()
  key = await addKey(bench.db, ['reservations:write', 'quota:read', 'quota:write', 'enforcement:write'])
})
afterAll(() => bench.stop())

let organization: string
let user: string
beforeEach(async () => {
  organization = await addOrganization(bench.db, { max_tokens: 100_000 })
  user = await addUser(bench.db, organization)
})

/** As a client that repeats what was answered 503: on a busy machine Postgres may be too slow for one second. */
const post = async <Body = object>(path: string, json?: unknown, options: object = {}) => {
  for (;;) {
    const answer = await call<Body>(bench.api.url, path, { method: 'POST', token: key, json, ...options })
    if (answer.status !== 503) return answer
  }
}
const reserve = (total_tokens: number, change: object = {}) =>
  post('/v1/reservations', {
    organization_id: organization,
    user_id: user,
    session_id: 'chat-1',
    total_tokens,
    ...change,
  })

// No enforcer runs here and the gate was told nothing: Postgres has the last word.
test('holds nothing from the order to revoke on, of the organization or the user, and holds again when restored', async () => {
  const colleague = await addUser(bench.db, organization)
  const order = (action: string, path = 'enforcement') =>
    post<{ decision_id: string }>(`/v1/organizations/${organization}/${path}`, { action, reason: 'because' })
  const { body: ordered } = await order('revoke')
  expect(await reserve(1)).toMatchObject({
    status: 403,
    body: { reason: 'organization_revoked', state: 'revoked', decision_id: ordered.decision_id },
  })
  await order('restore')
  expect((await reserve(1)).status).toBe(201)
  const ofUser = `users/${user}/enforcement`
  const { body: users } = await order('revoke', ofUser)
  expect(await reserve(1)).toMatchObject({
    status: 403,
    body: { reason: 'user_revoked', decision_id: users.decision_id },
  })
  expect((await reserve(1, { user_id: colleague })).status).toBe(201)
  await order('restore', ofUser)
  expect((await reserve(1)).status).toBe(201)
  expect((await order('revoke', `users/${randomUUID()}/enforcement`)).status).toBe(404)
})

test('a revocation that lapses ends with its period: logins, verify and holds, though no enforcer has decided anew', async () => {
  const signedIn = await signSupabaseToken(user, bench.secrets.supabase)
  const login = () => post<{ token: string; reason?: string }>('/api/librechat/auth', undefined, { token: signedIn })
  const ends = async (end: string, lapses: boolean) => {
    await bench.db.query(
      `insert into tollgate.enforcement_states (organization_id, state, version, reason, period_start, period_end, inputs_key, lapses)
       values ($1, 'revoked', 1, 'max_tokens_120_percent', now() - interval '31 days', $2, 'x', $3)
       on conflict (organization_id) do update set period_end = $2, lapses = $3,
         revision = nextval('tollgate.enforcement_revision')`,
      [organization, end, lapses],
    )
    const rows = await bench.db.query('select * from public.list_enforcement() where organization_id = $1', [
      organization,
    ])
    const { version, epoch, ...row } = rows.rows[0]
    const state = { ...row, period_end: row.period_end.toISOString(), version: Number(version), epoch: Number(epoch) }
    await bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(state))
  }
  const refusals = async (token: string) => [
    (await login()).body.reason,
    (await call<{ reason?: string }>(bench.api.url, '/api/auth/verify', { token })).body.reason,
    (await reserve(1)).status,
    (await call<{ state: string }>(bench.api.url, `/v1/organizations/${organization}/quota`, { token: key })).body
      .state,
  ]
  const { body: old } = await login()
  await ends(new Date(Date.now() + 3_600_000).toISOString(), true)
  const revoked = ['organization_revoked', 'organization_revoked', 403, 'revoked']
  await vi.waitFor(async () => expect(await refusals(old.token)).toEqual(revoked), { timeout: 20_000 })
  await ends(new Date(Date.now() - 1_000).toISOString(), true)
  await vi.waitFor(async () => expect(await refusals(old.token)).toEqual([undefined, 'superseded', 201, 'active']), {
    timeout: 20_000,
  })
  const { body: fresh } = await login()
  expect(await refusals(fresh.token)).toEqual([undefined, undefined, 201, 'active'])
  await ends(new Date(Date.now() - 1_000).toISOString(), false)
  await vi.waitFor(async () => expect(await refusals(fresh.token)).toEqual(revoked), { timeout: 20_000 })
})

test("a user's own report shows the open holds, under the organization's default for its users", async () => {
  const path = `/v1/organizations/${organization}/users`
  const put = (who: string, limit: number | null) => post(`${path}/${who}/quota`, { limit }, { method: 'PUT' })
  const ofUser = async () => (await call<object>(bench.api.url, `${path}/${user}/quota`, { token: key })).body
  expect(await put('default', 5_000)).toMatchObject({ status: 200, body: { limit: 5_000, policy: null, version: 1 } })
  expect(await reserve(5_001)).toMatchObject({ status: 429, body: { scope: 'user', limit: 5_000 } })
  expect((await reserve(3_000)).status).toBe(201)
  expect(await ofUser()).toMatchObject({ limit: 5_000, limit_from: 'default', reserved: 3_000, remaining: 2_000 })
  await put(user, null)
  expect(await ofUser()).toMatchObject({ limit: null, limit_from: 'user', reserved: 3_000, remaining: null })
  expect((await reserve(5_001)).status).toBe(201)
  expect(await post(`${path}/${user}/quota`, undefined, { method: 'DELETE' })).toMatchObject({
    status: 200,
    body: { limit: 5_000, remaining: 0 },
  })
  expect((await call(bench.api.url, `${path}/default/quota`, { token: key })).body).toMatchObject({ limit: 5_000 })
  expect(
    (await post(`/v1/organizations/${randomUUID()}/users/default/quota`, { limit: 1 }, { method: 'PUT' })).status,
  ).toBe(404)
})
