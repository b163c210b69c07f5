import { randomUUID } from 'node:crypto'
import type { QuotaReport } from '@tollgate/shared/contracts'
import { createConsumer, createWorkerConnection, disconnectAll } from '@tollgate/shared/queues'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench } from './support/start-api.ts'

let bench: Bench
beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.stop())

let organization: string
let other: string
beforeEach(async () => {
  organization = await addOrganization(bench.db, { max_tokens: 100_000 })
  other = await addOrganization(bench.db, { max_tokens: 100_000 })
})

const userOf = async (role: string, home: string | null) =>
  signSupabaseToken(await addUser(bench.db, home, role), bench.secrets.supabase)
const read = (token: string, id = organization) =>
  call<QuotaReport>(bench.api.url, `/v1/organizations/${id}/quota`, { token })
const write = (token: string, json: unknown, id = organization) =>
  call<QuotaReport>(bench.api.url, `/v1/organizations/${id}/quota`, { method: 'PUT', token, json })

describe('reading', () => {
  test.each(['user', 'admin', 'super_admin'])('%s of the organization sees it', async (role) => {
    const { status, body } = await read(await userOf(role, organization))
    expect(status).toBe(200)
    expect(body).toMatchObject({
      limit: 100_000,
      used: 0,
      reserved: 0,
      remaining: 100_000,
      state: 'active',
      version: 0,
      period: { time_zone: 'UTC' },
    })
    expect(body.period.start).toMatch(/^\d{4}-\d\d-01T00:00:00\.000Z$/)
  })

  test('of another organization is for super_admins and operators alone', async () => {
    expect((await read(await userOf('user', other))).status).toBe(403)
    expect((await read(await userOf('admin', other))).status).toBe(403)
    expect((await read(await userOf('user', null))).status).toBe(403)
    expect((await read(await userOf('super_admin', other))).status).toBe(200)
    expect((await read(await addKey(bench.db, ['quota:read']))).status).toBe(200)
    expect((await read(await addKey(bench.db, ['quota:read'], organization))).status).toBe(200)
    expect((await read(await addKey(bench.db, ['quota:read'], other))).status).toBe(403)
    expect((await read(await addKey(bench.db, ['events:write'], organization))).status).toBe(403)
  })

  test('an organization that does not exist looks like a foreign one, except to operators', async () => {
    expect((await read(await userOf('admin', organization), randomUUID())).status).toBe(403)
    expect((await read(await userOf('super_admin', organization), randomUUID())).status).toBe(404)
    expect((await read(await addKey(bench.db, ['quota:read']), randomUUID())).status).toBe(404)
  })

  test('needs a credential and an id', async () => {
    expect((await read('')).status).toBe(401)
    expect((await read('tg_unknownunknownunknown')).status).toBe(401)
    expect(await read(await userOf('user', organization), 'not-a-uuid')).toMatchObject({
      status: 400,
      body: { type: 'https://tollgate.dev/problems/bad-request', errors: [{ pointer: '#/id' }] },
    })
  })
})

describe('writing', () => {
  test('super_admin and operator key raise, lower, lift and set the ladder', async () => {
    for (const token of [await userOf('super_admin', other), await addKey(bench.db, ['quota:write'])]) {
      const policy = { steps: [{ at_percent: 80, state: 'warned' }], downgrade_to: {} }
      expect(await write(token, { limit: 5_000_000, policy })).toMatchObject({
        status: 200,
        body: { limit: 5_000_000 },
      })
      expect(await write(token, { limit: null })).toMatchObject({ status: 200, body: { limit: null, remaining: null } })
      const { rows } = await bench.db.query('select policy from tollgate.quota_policies where organization_id = $1', [
        organization,
      ])
      expect(rows).toEqual([{ policy }])
      expect((await write(token, { limit: 1_000 })).body.limit).toBe(1_000)
    }
  })

  test('a ladder alone leaves the limit where it is, and is refused once it is no longer the one that was looked at', async () => {
    const token = await addKey(bench.db, ['quota:write', 'quota:read'])
    const policy = { steps: [{ at_percent: 80, state: 'warned' }], downgrade_to: {} }
    expect(await write(token, { policy, policy_version: 0 })).toMatchObject({ status: 200, body: { limit: 100_000 } })
    expect(await write(token, { policy: { ...policy, steps: [] }, policy_version: 0 })).toMatchObject({
      status: 409,
      body: {
        type: 'https://tollgate.dev/problems/conflict',
        reason: 'policy_version',
        policy_version: 1,
      },
    })
    // What the plan or the organization's config says goes on to hold.
    await bench.db.query(`update public.organizations set librechat_config = '{"max_tokens": 200000}' where id = $1`, [
      organization,
    ])
    expect((await read(token)).body.limit).toBe(200_000)
    expect((await write(token, { limit: 7_000 })).body.limit).toBe(7_000)
    expect((await write(token, { policy, policy_version: 2 })).body.limit).toBe(7_000)
    expect((await write(token, { policy_version: 3 })).status).toBe(400)
    const { rows } = await bench.db.query(
      'select sets_limit, max_tokens, policy, version from tollgate.quota_policies where organization_id = $1',
      [organization],
    )
    expect(rows).toEqual([{ sets_limit: true, max_tokens: '7000', policy, version: '3' }])
  })

  test('what is dropped leaves what config and plan say, for super_admins and operators alone', async () => {
    const token = await addKey(bench.db, ['quota:write', 'quota:read'])
    const drop = (credential: string, id = organization) =>
      call<QuotaReport>(bench.api.url, `/v1/organizations/${id}/quota`, { method: 'DELETE', token: credential })
    await write(token, { limit: 50, policy: { steps: [{ at_percent: 80, state: 'revoked' }], downgrade_to: {} } })
    expect((await drop(await userOf('admin', organization))).status).toBe(403)
    expect((await drop(token, randomUUID())).status).toBe(404)
    expect(await drop(token)).toMatchObject({ status: 200, body: { limit: 100_000 } })
    const sql = 'select sets_limit, policy from tollgate.quota_policies where organization_id = $1'
    expect((await bench.db.query(sql, [organization])).rows).toEqual([{ sets_limit: false, policy: null }])
    await bench.db.query(`update public.organizations set librechat_config = '{"max_tokens": 300000}' where id = $1`, [
      organization,
    ])
    expect((await read(token)).body.limit).toBe(300_000)
    expect((await write(token, { limit: 60 })).body.limit).toBe(60)
  })

  test("the users' default and a user's own ladder are set and dropped; an old version changes nothing", async () => {
    const token = await addKey(bench.db, ['quota:write', 'quota:read'])
    const path = `/v1/organizations/${organization}/users`
    const put = (json: object, who = 'default') =>
      call<object>(bench.api.url, `${path}/${who}/quota`, { method: 'PUT', token, json })
    const policy = { steps: [{ at_percent: 80, state: 'warned' }], downgrade_to: {} }
    expect(await put({ limit: 5, policy, version: 0 })).toMatchObject({
      status: 200,
      body: { limit: 5, policy, version: 1 },
    })
    expect(await put({ limit: 6, version: 0 })).toMatchObject({
      status: 409,
      body: { type: 'https://tollgate.dev/problems/conflict', reason: 'version', version: 1 },
    })
    // Without a version whoever is last wins; without a ladder it stays; what is as it was is no change.
    expect((await put({ limit: 6 })).body).toMatchObject({ limit: 6, policy, version: 2 })
    expect((await put({ limit: 6, policy, version: 2 })).body).toMatchObject({ policy, version: 2 })
    expect((await put({ limit: 6, policy: null, version: 2 })).body).toMatchObject({
      limit: 6,
      policy: null,
      version: 3,
    })
    expect((await put({ limit: 6, version: -1 })).status).toBe(400)
    const user = await addUser(bench.db, organization)
    const own = async () => {
      const sql = 'select policy from tollgate.user_quotas where user_id = $1'
      return (await bench.db.query(sql, [user])).rows[0].policy
    }
    await put({ limit: 5, policy }, user)
    await put({ limit: 7 }, user)
    expect(await own()).toEqual(policy)
    await put({ limit: 7, policy: null }, user)
    expect(await own()).toBeNull()
    expect((await put({ limit: 5, version: 1 }, user)).status).toBe(400)
  })

  test('a ladder that does not fit is refused with what is wrong about it', async () => {
    const token = await addKey(bench.db, ['quota:write'])
    const { status, body } = await write(token, { policy: { steps: [{ at_percent: 100, state: 'stopped' }] } })
    expect(status).toBe(400)
    expect(body).toMatchObject({
      errors: [
        { pointer: '#/policy/steps/0', detail: expect.stringContaining('warned, downgraded, revoked') },
        { pointer: '#/policy/downgrade_to', detail: expect.stringContaining('must be a reduced config') },
      ],
    })
  })

  test('a limit of chat sessions stands in no policy of a user', async () => {
    const token = await addKey(bench.db, ['quota:write'])
    const policy = { steps: [], downgrade_to: {}, session_max_tokens: 5 }
    for (const who of ['default', await addUser(bench.db, organization)]) {
      const put = (json: object) =>
        call(bench.api.url, `/v1/organizations/${organization}/users/${who}/quota`, { method: 'PUT', token, json })
      expect((await put({ limit: 5, policy })).status).toBe(400)
      expect((await put({ limit: 5, policy: { ...policy, session_max_tokens: undefined } })).status).toBe(200)
    }
  })

  test("the organization's own admin only lowers the limit", async () => {
    const admin = await userOf('admin', organization)
    expect((await write(admin, { limit: 50_000 })).body.limit).toBe(50_000)
    const refused = { status: 403, body: { reason: 'only_lower' } }
    expect(await write(admin, { limit: 50_001 })).toMatchObject(refused)
    expect(await write(admin, { limit: null })).toMatchObject(refused)
    expect(await write(admin, { limit: 10, policy: { steps: [], downgrade_to: {} } })).toMatchObject(refused)
    expect(await write(admin, { policy: { steps: [], downgrade_to: {} } })).toMatchObject(refused)
    expect((await read(admin)).body.limit).toBe(50_000)
  })

  test('nobody else writes', async () => {
    const change = { limit: 1 }
    expect((await write(await userOf('user', organization), change)).status).toBe(403)
    expect((await write(await userOf('admin', other), change)).status).toBe(403)
    expect((await write(await addKey(bench.db, ['quota:write'], organization), change)).status).toBe(403)
    expect((await write(await addKey(bench.db, ['quota:read']), change)).status).toBe(403)
    expect((await write(await addKey(bench.db, ['quota:write']), change, randomUUID())).status).toBe(404)
    expect((await read(await addKey(bench.db, ['quota:read']))).body.limit).toBe(100_000)
  })

  test('what is no limit is refused, and unknown members too', async () => {
    const token = await addKey(bench.db, ['quota:write'])
    const bodies = [
      {},
      { limit: -1 },
      { limit: 1.5 },
      { limit: '1' },
      { limit: 2 ** 53 },
      { limit: 1, role: 'admin' },
      [],
      1,
    ]
    for (const body of bodies) expect((await write(token, body)).status, JSON.stringify(body)).toBe(400)
    expect((await write(token, '{"limit":1,"__proto__":{"a":1}}')).status).toBe(400)
    const ladder = { limit: 1, policy: { steps: [{ at_percent: 0, state: 'active' }], downgrade_to: {} } }
    expect((await write(token, ladder)).status).toBe(400)
  })

  test('a change wakes the enforcer', async () => {
    await write(await addKey(bench.db, ['quota:write']), { limit: 7 })
    const seen: unknown[] = []
    const connection = createWorkerConnection(bench.env.REDIS_URL ?? '', { onError: () => undefined })
    const consumer = createConsumer('quota-evaluations', async (job) => seen.push(job), {
      connection,
      shards: 1,
      onError: () => undefined,
    })
    try {
      const job = { v: 1, organization_id: organization, reason: 'limit_changed' }
      await vi.waitFor(() => expect(seen).toContainEqual(job), { timeout: 10_000 })
    } finally {
      await consumer.close(2_000)
      disconnectAll(connection)
    }
  })
})
