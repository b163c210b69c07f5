import { randomUUID } from 'node:crypto'
import type { KeyReport } from '@tollgate/shared/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'

const BOOTSTRAP = 'tg_bT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U'
let bench: Bench
let second: TestApi
let organization: string
let operator: string

beforeAll(async () => {
  bench = await openBench({ env: { TOLLGATE_OPERATOR_KEY: BOOTSTRAP } })
  second = await startApi(bench.env)
})
afterAll(async () => {
  await second.stop()
  await bench.stop()
})
beforeEach(async () => {
  organization = await addOrganization(bench.db)
  operator = await addKey(bench.db, ['keys:write', 'quota:read', 'events:write', 'audit:read'])
})

type NewKey = KeyReport & { key: string; detail: string; keys: KeyReport[]; entries: { action: string }[] }
const userOf = async (role: string, home: string | null = organization) =>
  signSupabaseToken(await addUser(bench.db, home, role), bench.secrets.supabase)
const create = (token: string, json: object = {}) =>
  call<NewKey>(bench.api.url, '/v1/keys', {
    method: 'POST',
    token,
    json: { name: 'backend', scopes: ['quota:read'], organization_id: organization, ...json },
  })
const list = (token: string, query = '') => call<NewKey>(bench.api.url, `/v1/keys${query}`, { token })
const revoke = (token: string, id: string) => call<NewKey>(bench.api.url, `/v1/keys/${id}`, { method: 'DELETE', token })
const rotate = (token: string, id: string, json: object = {}) =>
  call<NewKey>(bench.api.url, `/v1/keys/${id}/rotate`, { method: 'POST', token, json })
const uses = async (key: string, api: TestApi = bench.api) =>
  (await call(api.url, `/v1/organizations/${organization}/quota`, { token: key })).status

describe('a key', () => {
  test('is shown once, kept as its hash, and does what it may', async () => {
    const { status, body } = await create(operator)
    expect(status).toBe(201)
    expect(body.key).toMatch(/^tg_[\w-]{32}$/)
    expect(body.key.startsWith(body.prefix)).toBe(true)
    expect(await uses(body.key)).toBe(200)
    const listed = await list(operator, `?organization_id=${organization}`)
    expect(listed.body.keys).toMatchObject([{ id: body.id, scopes: ['quota:read'], organization_id: organization }])
    expect(JSON.stringify(listed.body)).not.toContain(body.key)
    const { rows } = await bench.db.query('select t::text from tollgate.service_keys t')
    expect(JSON.stringify(rows)).not.toContain(body.key.slice(12))
  })

  test('is gone from every instance as soon as its revocation is answered', async () => {
    for (let round = 0; round < 10; round++) {
      const { body } = await create(operator)
      expect([await uses(body.key), await uses(body.key, second)]).toEqual([200, 200])
      expect((await revoke(operator, body.id)).body.revoked_at).not.toBeNull()
      expect(await uses(body.key)).toBe(401)
      // The message of the revocation is on its way for a moment; the lease would take two seconds.
      const begin = performance.now()
      await vi.waitFor(async () => expect(await uses(body.key, second)).toBe(401), { interval: 1, timeout: 1_500 })
      expect(performance.now() - begin).toBeLessThan(1_500)
    }
  })

  test('is replaced with an overlap, once, and the old one ends when it is over', async () => {
    const { body: old } = await create(operator)
    const { status, body: fresh } = await rotate(operator, old.id, { overlap_seconds: 3_600 })
    expect(status).toBe(201)
    expect(fresh).toMatchObject({ name: 'backend', scopes: ['quota:read'], organization_id: organization })
    expect([await uses(old.key), await uses(fresh.key)]).toEqual([200, 200])
    expect((await rotate(operator, old.id)).status).toBe(409)
    const [, shown] = (await list(operator, `?organization_id=${organization}`)).body.keys
    expect(shown).toMatchObject({ id: old.id, replaced_by: fresh.id })
    const minutes = (Date.parse(shown?.expires_at ?? '') - Date.now()) / 60_000
    expect(minutes).toBeGreaterThan(58)
    expect(minutes).toBeLessThan(61)
    const { body: next } = await rotate(operator, fresh.id, { overlap_seconds: 0 })
    expect([await uses(fresh.key), await uses(next.key)]).toEqual([401, 200])
  })

  test('that expires is replaced by one that expires no later, and makes none that outlives it', async () => {
    const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString()
    const hour = inMinutes(60)
    const scopes = ['keys:write', 'quota:read']
    const { body: old } = await create(operator, { scopes, expires_at: hour })
    for (const expires_at of [null, inMinutes(61)]) {
      expect((await create(old.key, { expires_at })).status, String(expires_at)).toBe(403)
    }
    expect((await create(old.key, { expires_at: inMinutes(59) })).status).toBe(201)
    const { body: perpetual } = await create(operator)
    expect((await rotate(old.key, perpetual.id)).status).toBe(403)
    const { status, body: fresh } = await rotate(old.key, old.id)
    expect(status).toBe(201)
    expect(Date.parse(fresh.expires_at ?? '')).toBe(Date.parse(hour))
  })

  test('is believed by no instance that misses its end, once that is answered', async () => {
    const [{ body: heard }, { body: missed }] = [await create(operator), await create(operator)]
    const timed = async (id: string) => {
      const begin = performance.now()
      expect((await revoke(operator, id)).status).toBe(200)
      return performance.now() - begin
    }
    await timed(heard.id)
    // An instance that beats and whose subscription is gone.
    const registry = `{${bench.namespace}:gate}:instances`
    const [seconds = '0'] = await bench.redis.time()
    await bench.redis.zadd(registry, Number(seconds) * 1_000, 'silent')
    expect(await timed(missed.id)).toBeGreaterThanOrEqual(1_990)
    await bench.redis.zrem(registry, 'silent')
  })

  test('says when it was used last', async () => {
    const { body } = await create(operator)
    await uses(body.key)
    const lastUsed = async () =>
      (await list(operator, `?organization_id=${organization}`)).body.keys.find(({ id }) => id === body.id)
        ?.last_used_at
    await vi.waitFor(async () => expect(await lastUsed()).toEqual(expect.any(String)), {
      timeout: 15_000,
      interval: 200,
    })
  })

  test('from the environment does everything, and its acts are on record', async () => {
    const { body } = await create(BOOTSTRAP, { name: 'first', scopes: ['keys:write'], organization_id: null })
    expect(body).toMatchObject({ created_by: 'key:bootstrap', organization_id: null })
    const trail = await call<NewKey>(bench.api.url, `/v1/audit?target=key:${body.id}`, { token: BOOTSTRAP })
    expect(trail.body.entries).toMatchObject([
      { action: 'key.created', actor: 'key:bootstrap', details: { name: 'first' } },
    ])
  })
})

describe('nobody gives away more than the own rights', () => {
  test('a key its own scopes, in its own organization', async () => {
    const own = await addKey(bench.db, ['keys:write', 'usage:read'], organization)
    expect((await create(own, { scopes: ['usage:read'] })).status).toBe(201)
    expect((await create(own, { scopes: ['quota:write'] })).status).toBe(403)
    expect((await create(own, { scopes: ['usage:read'], organization_id: null })).status).toBe(403)
    expect(
      (await create(own, { scopes: ['usage:read'], organization_id: await addOrganization(bench.db) })).status,
    ).toBe(403)
    const { body: strong } = await create(operator, { scopes: ['events:write'] })
    expect((await rotate(own, strong.id)).status).toBe(403)
    expect((await rotate(operator, strong.id)).status).toBe(201)
  })

  test("an organization's admin makes keys that read, and sees and ends those of the organization alone", async () => {
    const admin = await userOf('admin')
    expect((await create(admin, { scopes: ['usage:read'] })).status).toBe(201)
    expect((await create(admin, { scopes: ['events:write'] })).status).toBe(403)
    const { body: foreign } = await create(operator, { organization_id: await addOrganization(bench.db) })
    expect((await revoke(admin, foreign.id)).status).toBe(404)
    expect((await revoke(admin, randomUUID())).status).toBe(404)
    expect((await list(admin)).body.keys.map(({ organization_id }) => organization_id)).toEqual([organization])
    expect((await list(admin, `?organization_id=${foreign.organization_id}`)).status).toBe(403)
    const { body: strong } = await create(operator, { scopes: ['events:write'] })
    expect((await rotate(admin, strong.id)).status).toBe(403)
    expect((await revoke(admin, strong.id)).status).toBe(200)
  })

  test('a super_admin makes any key', async () => {
    const scopes = ['events:write', 'tokens:issue']
    expect((await create(await userOf('super_admin', null), { scopes, organization_id: null })).status).toBe(201)
  })
})

test('what is no request for a key is refused', async () => {
  for (const json of [{ name: '' }, { scopes: [] }, { scopes: ['*'] }, { role: 'admin' }, { organization_id: 'x' }]) {
    expect((await create(operator, json)).status, JSON.stringify(json)).toBe(400)
  }
  expect((await create(operator, { organization_id: randomUUID() })).status).toBe(404)
  expect((await rotate(operator, randomUUID())).status).toBe(404)
  expect((await rotate(operator, randomUUID(), { overlap_seconds: -1 })).status).toBe(400)
  expect((await list(operator, '?nothing=1')).status).toBe(400)
})
