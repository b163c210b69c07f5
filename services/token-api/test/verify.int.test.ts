import type { Enforcement } from '@tollgate/shared/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { sampleEnforcement } from '../src/testing/claims.ts'
import { call } from './support/http.ts'
import { addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench, startApi } from './support/start-api.ts'

let bench: Bench
beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.stop())

let organization: string
let token: string
beforeEach(async () => {
  organization = await addOrganization(bench.db)
  const user = await addUser(bench.db, organization)
  const login = await call<{ token: string }>(bench.api.url, '/api/librechat/auth', {
    method: 'POST',
    token: await signSupabaseToken(user, bench.secrets.supabase),
  })
  token = login.body.token
})

const verify = (url = bench.api.url) => call(url, '/api/auth/verify', { token })

const publish = (changes: Partial<Enforcement>) => {
  const message = sampleEnforcement({ organization_id: organization, version: 0, ...changes })
  return bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(message))
}

const untilStatus = (status: number, url?: string) =>
  vi.waitFor(
    async () => {
      const answer = await verify(url)
      expect(answer.status).toBe(status)
      return answer
    },
    { timeout: 10_000, interval: 20 },
  )

describe('an enforcement message', () => {
  test('revokes, and verify says until when and by which decision', async () => {
    expect((await verify()).status).toBe(200)
    await publish({
      state: 'revoked',
      version: 1,
      revision: '100',
      reason: 'used 125 % of 100000 LLM tokens',
      decision_id: '7b1f5a5e-0000-4000-8000-000000000001',
    })
    const answer = await untilStatus(403)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.body).toMatchObject({
      type: 'https://tollgate.dev/problems/organization-revoked',
      reason: 'organization_revoked',
      state: 'revoked',
      decision_id: '7b1f5a5e-0000-4000-8000-000000000001',
      period_end: '2026-12-01T00:00:00.000Z',
      detail: expect.stringContaining('used 125 %'),
    })
  })

  test('downgrades: older tokens are superseded, a warning alone changes nothing', async () => {
    await publish({ state: 'warned', version: 0, revision: '100' })
    await publish({ state: 'downgraded', version: 1, revision: '101' })
    const answer = await untilStatus(401)
    expect(answer.body).toMatchObject({ reason: 'superseded', state: 'downgraded' })
  })

  test('restores, and one that comes late is not listened to', async () => {
    await publish({ state: 'revoked', version: 0, revision: '100' })
    await untilStatus(403)
    await publish({ state: 'active', version: 0, revision: '102' })
    await untilStatus(200)
    await publish({ state: 'revoked', version: 0, revision: '101' })
    await publish({ state: 'active', version: 0, revision: '102' })
    expect((await verify()).status).toBe(200)
  })

  test('that cannot be read changes nothing', async () => {
    for (const message of ['{', 'null', '{"organization_id":1}', '[]']) {
      await bench.redis.publish(`${bench.namespace}:enforcement`, message)
    }
    await publish({ state: 'revoked', revision: '100' })
    await untilStatus(403)
  })
})

test('an instance that starts later knows what was decided before', async () => {
  await bench.db.query(
    `insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
     values ($1, 'revoked', 1, '2026-11-01', '2026-12-01', 'x')`,
    [organization],
  )
  const second = await startApi(bench.env)
  try {
    expect((await untilStatus(403, second.url)).body.reason).toBe('organization_revoked')
  } finally {
    await second.stop()
  }
})

test('a decision whose message was lost is found by the next reload', async () => {
  await bench.db.query(
    `insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
     values ($1, 'revoked', 1, '2026-11-01', '2026-12-01', 'x')`,
    [organization],
  )
  await untilStatus(403)
})

test('a subscription that was cut is resumed with all that was decided in between', async () => {
  // Right after a reload the next one is five seconds away: what is known sooner comes from the resumption.
  const reloads = async () => {
    const { body } = await call<string>(bench.api.url, '/metrics')
    return Number(/tollgate_gate_reloads_total\{source="postgres"[^}]*\} (\d+)/.exec(body)?.[1])
  }
  const before = await reloads()
  await vi.waitFor(async () => expect(await reloads()).toBeGreaterThan(before), { timeout: 10_000, interval: 20 })

  const clients = String(await bench.redis.client('LIST')).split('\n')
  const ours = new Set<string>()
  for (const line of clients) {
    const id = /\bid=(\d+)/.exec(line)?.[1]
    if (id !== undefined && line.includes('name=token-api-gate')) ours.add(id)
  }
  expect(ours.size).toBeGreaterThan(0)
  await bench.db.query(
    `insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
     values ($1, 'revoked', 1, '2026-11-01', '2026-12-01', 'x')`,
    [organization],
  )
  for (const id of ours) await bench.redis.client('KILL', 'ID', id)
  await vi.waitFor(async () => expect((await verify()).status).toBe(403), { timeout: 2_000, interval: 20 })
})

test.each([
  [undefined, 'missing'],
  ['nonsense', 'malformed'],
  ['a.b.c', 'malformed'],
])('token %s is refused as %s', async (text, reason) => {
  const answer = await call(bench.api.url, '/api/auth/verify', text === undefined ? {} : { token: text })
  expect(answer).toMatchObject({ status: 401, body: { reason, type: 'https://tollgate.dev/problems/token-refused' } })
})
