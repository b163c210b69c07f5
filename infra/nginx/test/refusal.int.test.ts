import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { call } from '../../../services/token-api/test/support/http.ts'
import { signSupabaseToken } from '../../../services/token-api/test/support/seed.ts'
import { openGate, type Person, type TestGate } from './support/open-gate.ts'
import { openWebsocket } from './support/raw-http.ts'

const APP = 'https://app.example.com'
const DECISION = '7b1f5a5e-0000-4000-8000-000000000001'

let gate: TestGate
beforeAll(async () => {
  gate = await openGate({ api: { SUPPORT_CONTACT: 'help@platform.example <b>', CORS_ORIGINS: APP } })
})
afterAll(() => gate.stop())

let person: Person
let cookie: string
beforeEach(async () => {
  person = await gate.addPerson()
  cookie = await gate.letIn(person)
})

const visit = (headers: Record<string, string> = { cookie }, path = '/c/new') =>
  fetch(gate.url + path, { headers: { accept: 'text/html', ...headers }, redirect: 'manual' })
const untilStatus = (status: number, headers?: Record<string, string>) =>
  vi.waitFor(
    async () => {
      const answer = await visit(headers)
      expect(answer.status).toBe(status)
      return answer
    },
    { timeout: 10_000, interval: 20 },
  )
const accessToken = async (of: Person) => {
  const supabase = await signSupabaseToken(of.userId, gate.bench.secrets.supabase)
  const login = { method: 'POST', token: supabase }
  return (await call<{ token: string }>(gate.bench.api.url, '/api/librechat/auth', login)).body.token
}

test('a revoked organization gets a page with reason, decision and whom to ask, and comes back by itself', async () => {
  const authorization = `Bearer ${await accessToken(person)}`
  expect((await visit({ authorization })).status).toBe(200)
  await gate.enforce(person.organizationId, {
    state: 'revoked',
    version: 1,
    reason: 'used 125 % of 100000 <script>',
    decision_id: DECISION,
  })
  const answer = await untilStatus(403)
  expect(answer.headers.get('content-type')).toMatch(/^text\/html/)
  expect(answer.headers.get('content-security-policy')).toMatch(/frame-ancestors 'self' https:\/\/app\.example\.com/)
  expect(answer.headers.get('x-frame-options')).toBeNull()
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const page = await answer.text()
  for (const text of ['organization_revoked', DECISION, '2026-12-01', 'used 125 %', 'administrator', 'help@platform']) {
    expect(page).toContain(text)
  }
  expect(page).not.toMatch(/<script|<b>/)

  const program = await visit({ cookie, accept: 'application/json' })
  expect([program.status, await program.json()]).toMatchObject([
    403,
    { reason: 'organization_revoked', decision_id: DECISION },
  ])
  expect((await visit({ authorization })).status).toBe(403)
  const { head, socket } = await openWebsocket(gate.port, [`Cookie: ${cookie}`])
  expect(head).toMatch(/^HTTP\/1\.1 403 /)
  socket.destroy()
  const refused = await visit({ cookie }, `/?token=${'eyJ'}x&org=y`)
  expect(refused.status).toBe(403)

  await gate.enforce(person.organizationId, { state: 'active', version: 2, revision: '101' })
  await untilStatus(200)
})

test('a revoked user gets a page of the own, with reason, decision and whom to ask', async () => {
  expect((await visit()).status).toBe(200)
  await gate.enforce(person.organizationId, {
    user_id: person.userId,
    state: 'revoked',
    version: 1,
    decision_id: DECISION,
  })
  const page = await (await untilStatus(403)).text()
  for (const text of ['user_revoked', DECISION, 'You have no access', 'raise your limit', 'help@platform']) {
    expect(page).toContain(text)
  }
})

test('a downgrade supersedes access tokens, and lets a session pass without asking anybody', async () => {
  const authorization = `Bearer ${await accessToken(person)}`
  expect((await visit()).status).toBe(200)
  await gate.enforce(person.organizationId, { state: 'downgraded', version: 1 })
  await untilStatus(401, { authorization })
  const lookups = await countLookups()
  expect((await visit()).status).toBe(200)
  expect(await countLookups()).toBe(lookups)
})

async function countLookups(): Promise<number> {
  const { body } = await call<string>(gate.bench.api.url, '/metrics')
  return Number(/tollgate_proxy_session_lookups_total\{[^}]*\} (\d+)/.exec(body)?.[1])
}

test('Postgres is asked for a session at first sight, and for an invented one never', async () => {
  const before = await countLookups()
  for (let round = 0; round < 20; round += 1) expect((await visit()).status).toBe(200)
  for (let round = 0; round < 20; round += 1) {
    const invented = `__Host-tollgate=${Buffer.alloc(32, round).toString('base64url')}.${'A'.repeat(22)}`
    expect((await visit({ cookie: invented })).status).toBe(401)
  }
  expect(await countLookups()).toBe(before + 1)
})

test('/api/auth/verify is the token API here, with and without a session', async () => {
  const token = await accessToken(person)
  const verified = await call(gate.url, '/api/auth/verify', { token, headers: { cookie } })
  expect(verified).toMatchObject({ status: 200, body: { active: true, sub: decodeJwt(token).sub } })
  expect(await call(gate.url, '/api/auth/verify')).toMatchObject({ status: 401, body: { reason: 'missing' } })
  expect(gate.upstream.arrivals.some(({ url }) => url.startsWith('/api/auth/verify'))).toBe(false)
})

test('/api/auth/verify answers pages of the front end, and asks first as browsers do', async () => {
  const asking = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }
  const preflight = (origin: string) =>
    fetch(`${gate.url}/api/auth/verify`, { method: 'OPTIONS', headers: { origin, ...asking } })
  const allowed = await preflight(APP)
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, APP])
  expect(allowed.headers.get('access-control-allow-headers')).toContain('authorization')
  expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
  const token = await accessToken(person)
  const { status, headers } = await call(gate.url, '/api/auth/verify', { token, headers: { origin: APP } })
  expect([status, headers.get('access-control-allow-origin')]).toEqual([200, APP])
})

test('a person without a session reads what to do, a program gets problem+json', async () => {
  const person = await visit({})
  expect([person.status, person.headers.get('content-type')]).toEqual([401, 'text/html; charset=utf-8'])
  expect(await person.text()).toContain('Open the chat again from the application')
  const program = await visit({ accept: '*/*' })
  expect([program.status, await program.json()]).toMatchObject([401, { reason: 'missing' }])
})

test('with the token API stopped nothing passes, and no log has ever held a token', async () => {
  const address = await gate.askForUrl(person)
  const authorization = `Bearer ${await accessToken(person)}`
  const seen = gate.upstream.arrivals.length
  await gate.bench.api.stop()
  for (const attempt of [
    visit(),
    visit({ authorization }),
    visit({}),
    visit({ cookie }, '/api/auth/refresh'),
    visit({ cookie }, '/oauth/openid'),
    visit({ authorization }, '/api/auth/verify'),
    fetch(address, { redirect: 'manual' }),
    fetch(gate.url, { method: 'POST', body: new URLSearchParams(new URL(address).search.slice(1)) }),
  ]) {
    const answer = await attempt
    expect(answer.status).toBe(503)
    expect(await answer.text()).toContain('cannot be reached at present')
    expect(answer.headers.getSetCookie()).toEqual([])
    // It may be shown under the address that the token stands in.
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
  }
  const { socket, head } = await openWebsocket(gate.port, [`Cookie: ${cookie}`])
  expect(head).toMatch(/^HTTP\/1\.1 503 /)
  socket.destroy()
  expect(gate.upstream.arrivals.length).toBe(seen)

  const { access, error } = gate.readLogs()
  expect(access.split('\n').length).toBeGreaterThan(40)
  expect(error).toContain('connect() failed')
  const written = access + error
  for (const secret of [address.split('?')[1], 'eyJ', cookie.split('=')[1], 'org=acme']) {
    expect(written).not.toContain(secret)
  }
  for (const { headers, url } of gate.upstream.arrivals) {
    expect(url).not.toContain('token=')
    expect(headers.referer).toBeUndefined()
  }
})
