import { createHash } from 'node:crypto'
import { libreChatConfig } from '@tollgate/shared/contracts'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addProfile, addUser, signSupabaseToken, usageEvent } from './support/seed.ts'
import { type Bench, openBench, startApi } from './support/start-api.ts'
import { startWorker, type TestWorker } from './support/worker.ts'

let bench: Bench
let worker: TestWorker
beforeAll(async () => {
  bench = await openBench({ auth: true })
  worker = startWorker(bench.env.REDIS_URL ?? '', bench.workerUrl)
})
afterAll(async () => {
  await worker.stop()
  await bench.stop()
})

/** Signs a new user up with the Auth API and gives what it answers. */
async function signUp(email: string): Promise<{ token: string; userId: string }> {
  const { url = '', publishableKey = '' } = bench.supabase ?? {}
  const answer = await call<{ access_token: string; user: { id: string } }>(url, '/auth/v1/signup', {
    method: 'POST',
    json: { email, password: `pw-${createHash('sha256').update(email).digest('hex').slice(0, 12)}` },
    headers: { apikey: publishableKey },
  })
  return { token: answer.body.access_token, userId: answer.body.user.id }
}

interface Login {
  token: string
  expires_at: string
  user: { id: string; organization: { id: string; librechat_config: unknown } }
}

const recordedLogin = (sid: unknown) =>
  vi.waitFor(
    async () => {
      const { rows } = await bench.db.query('select * from tollgate.login_sessions where id = $1', [sid])
      expect(rows).toHaveLength(1)
      return rows[0]
    },
    { timeout: 10_000 },
  )

describe('a user signed in to Supabase', () => {
  let token: string
  let organization: string
  let userId: string
  beforeAll(async () => {
    organization = await addOrganization(bench.db, { knowledge_bases: ['company-docs'], max_tokens: 100_000 })
    const user = await signUp('john@company.example')
    userId = user.userId
    token = user.token
    await addProfile(bench.db, userId, 'john@company.example', organization, 'admin')
  })

  test('gets an access token that verify takes, and the login is on record', async () => {
    const { status, body, headers } = await call<Login>(bench.api.url, '/api/librechat/auth', { method: 'POST', token })
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body.user).toMatchObject({ id: userId, username: 'john', role: 'admin', organization: { id: organization } })
    const config = libreChatConfig.parse(body.user.organization.librechat_config)
    expect(config).toMatchObject({ knowledge_bases: ['company-docs'], max_tokens: 100_000 })
    const claims = decodeJwt(body.token)
    expect(Date.parse(body.expires_at)).toBe((claims.exp ?? 0) * 1_000)
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(86_400)

    const verified = await call(bench.api.url, '/api/auth/verify', { token: body.token })
    expect(verified).toMatchObject({ status: 200, body: { active: true, sub: userId, sid: claims.sid, ver: 0 } })
    expect(verified.headers.get('cache-control')).toBe('no-store')
    const session = await recordedLogin(claims.sid)
    expect(session).toMatchObject({ organization_id: organization, user_id: userId, ended_at: null })
    expect(session.access_expires_at.toISOString()).toBe(body.expires_at)
    await vi.waitFor(
      () => expect(worker.seen.find(({ id }) => id === claims.sid)).toMatchObject({ source: 'tollgate/token-api' }),
      10_000,
    )
  })

  test('who signs out of Supabase neither logs in nor refreshes here any more', async () => {
    const leaving = await signUp('leaver@company.example')
    await addProfile(bench.db, leaving.userId, 'leaver@company.example', organization)
    const stay = await call<{ refresh_token: string }>(bench.api.url, '/api/librechat/auth', {
      method: 'POST',
      token: leaving.token,
    })
    const refresh = (refresh_token: string) =>
      call<{ reason?: string; refresh_token: string }>(bench.api.url, '/api/librechat/refresh', {
        method: 'POST',
        json: { refresh_token },
      })
    const first = await refresh(stay.body.refresh_token)
    expect(first.status).toBe(200)
    const reads = () =>
      Promise.all(
        [
          '/v1/sessions',
          `/v1/organizations/${organization}/quota`,
          `/v1/organizations/${organization}/sessions?start=2026-01-01&end=2026-02-01`,
        ].map(async (path) => (await call(bench.api.url, path, { token: leaving.token })).status),
      )
    expect(await reads()).not.toContain(401)
    const { url = '', publishableKey = '' } = bench.supabase ?? {}
    const out = await call(url, '/auth/v1/logout', {
      method: 'POST',
      token: leaving.token,
      headers: { apikey: publishableKey },
    })
    expect(out.status).toBe(204)
    expect(await refresh(first.body.refresh_token)).toMatchObject({ status: 401, body: { reason: 'session_ended' } })
    const again = await call(bench.api.url, '/api/librechat/auth', { method: 'POST', token: leaving.token })
    expect(again).toMatchObject({ status: 401, body: { reason: 'signed_out' } })
    // What was seen to be open is asked for anew after two seconds.
    await vi.waitFor(async () => expect(await reads()).toEqual([401, 401, 401]), { timeout: 10_000, interval: 250 })
  })

  test('an event in the outbox that cannot be read is set aside and holds up none of those behind it', async () => {
    await bench.db.query(
      `insert into tollgate.session_event_outbox (event) values ('{"type": "login.started", "id": "odd"}')`,
    )
    const { body } = await call<Login>(bench.api.url, '/api/librechat/auth', { method: 'POST', token })
    const { sid } = decodeJwt(body.token)
    await vi.waitFor(() => expect(worker.seen.map(({ id }) => id)).toContain(sid), 15_000)
    const letters = `select reason, detail, payload::jsonb as payload from tollgate.dead_letters where queue = 'session-event-outbox'`
    const { rows } = await bench.db.query(letters)
    expect(rows).toEqual([
      {
        reason: 'not_readable',
        detail: expect.stringContaining('organization_id'),
        payload: [{ type: 'login.started', id: 'odd' }],
      },
    ])
    expect(
      (await bench.db.query(`select from tollgate.session_event_outbox where event ->> 'id' = 'odd'`)).rowCount,
    ).toBe(0)
    await vi.waitFor(async () => {
      const metrics = await (await fetch(`${bench.api.url}/metrics`)).text()
      expect(metrics).toMatch(/^tollgate_session_events_buried_total(?:\{.*\})? 1$/m)
    }, 15_000)
  })

  test('gets the address of the chat with a handoff that opens nothing else', async () => {
    const { status, body } = await call<{ url: string; organization: object }>(bench.api.url, '/api/librechat/auth', {
      token,
    })
    expect(status).toBe(200)
    expect(Object.keys(body.organization)).toEqual(['id', 'name', 'domain', 'plan_type'])
    expect(body.url).toMatch(/^http:\/\/localhost:3080\?token=eyJ[\w.-]+&org=acme-/)
    const handoff = new URL(body.url).searchParams.get('token') ?? ''
    expect(decodeProtectedHeader(handoff).typ).toBe('handoff+jwt')
    const verified = await call(bench.api.url, '/api/auth/verify', { token: handoff })
    expect(verified).toMatchObject({ status: 401, body: { reason: 'bad_signature' } })
    await recordedLogin(decodeJwt(handoff).jti)
  })

  test('may send the JSON header without a body', async () => {
    const answer = await call(bench.api.url, '/api/librechat/auth', { method: 'POST', token, json: '' })
    expect(answer.status).toBe(200)
  })

  test('a HEAD request starts no login', async () => {
    const logins = async () => {
      const { body } = await call<string>(bench.api.url, '/metrics')
      return /tollgate_logins_total\{[^}]*\} (\d+)/.exec(body)?.[1]
    }
    const before = await logins()
    expect(before).toMatch(/^\d+$/)
    expect((await call(bench.api.url, '/api/librechat/auth', { method: 'HEAD', token })).status).toBe(404)
    expect(await logins()).toBe(before)
  })

  test('a second instance in the same process shares no settings with the first', async () => {
    const second = await startApi({ ...bench.env, URL_TOKEN: 'access', JWT_ACCESS_TOKEN_EXPIRY: '15m' })
    try {
      const { body } = await call<{ url: string }>(second.url, '/api/librechat/auth', { token })
      const access = new URL(body.url).searchParams.get('token') ?? ''
      const claims = decodeJwt(access)
      expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(900)
      expect((await call(bench.api.url, '/api/auth/verify', { token: access })).status).toBe(200)
    } finally {
      await second.stop()
    }
  })
})

test('a project that is reached over HTTP only works the same', async () => {
  const organization = await addOrganization(bench.db)
  const user = await addUser(bench.db, organization, 'admin')
  const key = await addKey(bench.db, ['events:write', 'quota:read'])
  const { DATABASE_URL: _direct, ...env } = bench.env
  const overHttp = await startApi({ ...env, SUPABASE_SECRET_KEY: bench.supabase?.secretKey ?? '' })
  try {
    const token = await signSupabaseToken(user, bench.secrets.supabase)
    // What Postgres does not answer within a second is 503: the first over HTTP may be.
    const { body } = await vi.waitFor(async () => {
      const login = await call<Login>(overHttp.url, '/api/librechat/auth', { method: 'POST', token })
      expect(login).toMatchObject({ status: 200 })
      return login
    }, 10_000)
    await vi.waitFor(async () => {
      expect((await call(overHttp.url, '/api/auth/verify', { token: body.token })).status).toBe(200)
    }, 10_000)
    const events = [usageEvent(organization, user), usageEvent(organization, bench.secrets.supabase)]
    const posted = await call(overHttp.url, '/v1/events', {
      method: 'POST',
      token: key,
      json: events,
      headers: { prefer: 'wait=10' },
    })
    expect(posted).toMatchObject({ status: 200, body: { recorded: 1, rejected: [{ index: 1 }] } })
    const path = `/v1/organizations/${organization}/quota`
    expect(await call(overHttp.url, path, { token: key })).toMatchObject({ status: 200, body: { used: 418 } })
    expect(await call(overHttp.url, path, { method: 'PUT', token, json: { limit: 1_000 } })).toMatchObject({
      status: 200,
      body: { limit: 1_000, remaining: 582 },
    })
  } finally {
    await overHttp.stop()
  }
})

describe('no token is issued', () => {
  const login = (token?: string) =>
    call(bench.api.url, '/api/librechat/auth', { method: 'POST', ...(token === undefined ? {} : { token }) })

  test('without a good Supabase token, and 401 says why', async () => {
    const organization = await addOrganization(bench.db)
    const user = await addUser(bench.db, organization)
    const sign = (claims: object, secret = bench.secrets.supabase) => signSupabaseToken(user, secret, claims)
    expect((await login(await sign({}))).status).toBe(200)
    const cases: [string | undefined, string][] = [
      [undefined, 'missing'],
      ['nonsense', 'malformed'],
      [await sign({}, 'another-secret-of-32-bytes-or-so!'), 'bad_signature'],
      [await sign({ is_anonymous: true }), 'anonymous'],
      [await sign({ aud: 'other' }), 'malformed'],
      [await sign({ iss: 'https://evil.example/auth/v1' }), 'malformed'],
    ]
    for (const [token, reason] of cases) {
      const answer = await login(token)
      expect(answer, reason).toMatchObject({ status: 401, body: { reason, status: 401 } })
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    }
  })

  test('to a user without an organization, or whom nobody knows', async () => {
    const lonely = await addUser(bench.db, null)
    for (const user of [lonely, '5b1f5a5e-0000-4000-8000-00000000dead']) {
      const answer = await login(await signSupabaseToken(user, bench.secrets.supabase))
      expect(answer).toMatchObject({ status: 403, body: { reason: 'no_organization' } })
    }
  })

  test('to a user of a revoked organization, with the decision that did it', async () => {
    const organization = await addOrganization(bench.db)
    const user = await addUser(bench.db, organization)
    const { rows } = await bench.db.query(
      `insert into tollgate.enforcement_states
         (organization_id, state, version, reason, decision_id, period_start, period_end, inputs_key)
       values ($1, 'revoked', 2, 'used 120 %', gen_random_uuid(), '2026-11-01', '2026-12-01', 'x')
       returning decision_id`,
      [organization],
    )
    const answer = await login(await signSupabaseToken(user, bench.secrets.supabase))
    expect(answer).toMatchObject({
      status: 403,
      body: {
        type: 'https://tollgate.dev/problems/organization-revoked',
        reason: 'organization_revoked',
        state: 'revoked',
        decision_id: rows[0].decision_id,
        period_end: '2026-12-01T00:00:00.000Z',
        detail: expect.stringContaining('used 120 %'),
      },
    })
  })
})
