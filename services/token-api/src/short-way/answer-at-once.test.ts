import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { decodeJwt, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AppDependencies, buildApp } from '../app.ts'
import type { GateVerdict } from '../gate/gate.ts'
import { newSessionValue } from '../proxy/session-cookie.ts'
import type { App } from '../routes/typed-app.ts'
import { unreachableDependencies } from '../testing/app-dependencies.ts'
import { sampleClaims } from '../testing/claims.ts'
import { issueAccessToken } from '../tokens/issue-access-token.ts'

const PATHS = ['/api/auth/verify', '/v1/forward-auth']
const ORIGIN = 'https://app.example'

let verdict: GateVerdict
let now: number
let routed: number
let stopping: AbortController
let dependencies: AppDependencies
let app: App
let url: string
let token: string
let cookie: string
let sessionMs: number

beforeEach(async () => {
  verdict = { accepted: true }
  now = Date.now()
  routed = 0
  sessionMs = 3_600_000
  stopping = new AbortController()
  const unreachable = await unreachableDependencies(() => new Error('away'), [])
  cookie = `__Host-tollgate=${newSessionValue(unreachable.keys.proxySession)}`
  const iat = Math.floor(now / 1_000)
  const claims = sampleClaims({ iat, exp: iat + 3_600 })
  dependencies = {
    ...unreachable,
    store: { ...unreachable.store, findProxySession: async () => sessionRow(claims) },
    positions: { ...unreachable.positions, show: (reply) => reply.header('ratelimit', '"monthly-tokens";r=1;t=2') },
    judge: () => verdict,
    now: () => now,
    stopping: stopping.signal,
  }
  token = await issueAccessToken(claims, dependencies.keys.access)
  app = buildApp(dependencies)
  app.addHook('onRequest', async () => {
    routed += 1
  })
  url = await app.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(() => app.close())

const sessionRow = ({ sub, sid, organization, role }: ReturnType<typeof sampleClaims>) => ({
  token_id: '0b5d7f1c-0000-4000-8000-000000000003',
  login_session_id: sid,
  organization_id: organization.id,
  user_id: sub,
  role,
  expires_at: new Date(now + sessionMs).toISOString(),
  ended: false,
})

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Whether it went through the route. */
  readonly isRouted: boolean
}

function ask(path: string, headers: Record<string, string>, method = 'GET'): Promise<Answer> {
  const before = routed
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const outgoing = httpRequest(`${url}${path}`, { method, agent: false, headers }, (response) => {
    let body = ''
    response.on('data', (chunk: Buffer) => (body += chunk.toString()))
    response.on('end', () => {
      const { date: _date, ...kept } = response.headers
      resolve({ status: response.statusCode, headers: kept, body, isRouted: routed > before })
    })
  })
  outgoing.on('error', reject).end()
  return promise
}

describe('what is answered at once is what the route answers', () => {
  const credentials: [string, () => Record<string, string>][] = [
    ['a token', () => ({ authorization: `Bearer ${token}` })],
    ['a session', () => ({ cookie })],
  ]
  const origins: Record<string, string>[] = [{}, { origin: ORIGIN }, { origin: 'https://evil.example' }]
  const cases = PATHS.flatMap((path) =>
    credentials
      .filter(([name]) => path !== '/api/auth/verify' || name === 'a token')
      .flatMap(([name, credential]) => origins.map((origin) => ({ path, name, credential, origin }))),
  )

  test.each(cases)('$path for $name, $origin', async ({ path, credential, origin }) => {
    const headers = { ...credential(), ...origin, 'x-request-id': 'r-1' }
    const first = await ask(`${path}?x`, headers)
    const atOnce = await ask(path, headers)
    expect([first.status, first.isRouted, atOnce.isRouted]).toEqual([200, true, false])
    expect({ ...atOnce, isRouted: true }).toEqual(first)
    expect(Object.keys(atOnce.headers)).toEqual(expect.arrayContaining(['x-request-id', 'cache-control', 'ratelimit']))
  })
})

test('a yes of forward-auth has no headers for browsers, which a no has that a proxy may hand on to one', async () => {
  const forBrowsers = ['content-security-policy', 'strict-transport-security', 'vary', 'access-control-allow-origin']
  const namesOf = async (headers: Record<string, string>) =>
    Object.keys((await ask('/v1/forward-auth', { ...headers, origin: ORIGIN })).headers)
  for (const credential of [bearer(), { cookie }, { cookie }]) {
    expect((await namesOf(credential)).filter((name) => forBrowsers.includes(name))).toEqual([])
  }
  expect(await namesOf({ authorization: 'Bearer x' })).toEqual(expect.arrayContaining(forBrowsers))
})

test('other spellings of the scheme are as good', async () => {
  for (const scheme of ['bearer', 'BEARER ', 'Bearer  ']) {
    expect(await ask('/api/auth/verify', { authorization: `${scheme} ${token}` })).toMatchObject({ status: 200 })
  }
})

test('a token is told at once at first sight, and a header that we do not write only when it was seen', async () => {
  for (const path of PATHS) expect(await ask(path, bearer())).toMatchObject({ status: 200, isRouted: false })
  const { keys } = dependencies
  token = await new SignJWT({ ...decodeJwt(token) })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .sign(keys.access.signing.key)
  expect(await ask('/api/auth/verify', bearer())).toMatchObject({ status: 200, isRouted: true })
  expect(await ask('/api/auth/verify', bearer())).toMatchObject({ status: 200, isRouted: false })
})

test('each answer has an id of its own', async () => {
  const answers = [await ask('/api/auth/verify', bearer()), await ask('/api/auth/verify', bearer())]
  expect(answers.map(({ isRouted }) => isRouted)).toEqual([false, false])
  const ids = answers.map(({ headers }) => headers['x-request-id'])
  expect(new Set(ids).size).toBe(2)
  for (const id of ids) expect(id).toMatch(/^[\da-f-]{36}$/)
})

const bearer = () => ({ authorization: `Bearer ${token}` })

describe('never is a yes said at once', () => {
  beforeEach(async () => {
    for (const path of PATHS) await ask(path, bearer())
    await ask('/v1/forward-auth', { cookie })
    expect((await ask('/v1/forward-auth', { cookie })).isRouted).toBe(false)
  })

  test.each(['revoked', 'session_ended'] as const)('to what the gate refuses as %s', async (reason) => {
    verdict = { accepted: false, reason }
    for (const path of PATHS) expect(await ask(path, bearer())).toMatchObject({ status: 401, isRouted: true })
    expect(await ask('/v1/forward-auth', { cookie })).toMatchObject({ status: 401, isRouted: true })
  })

  test('without a lease', async () => {
    verdict = { accepted: false, reason: 'gate_unavailable' }
    for (const path of PATHS) expect(await ask(path, bearer())).toMatchObject({ status: 503, isRouted: true })
    expect(await ask('/v1/forward-auth', { cookie })).toMatchObject({ status: 503, isRouted: true })
  })

  test('to a token that has expired', async () => {
    now += 3_600_000
    for (const path of PATHS) expect(await ask(path, bearer())).toMatchObject({ status: 401, isRouted: true })
  })

  test('to a session that has expired, however lately it was asked for', async () => {
    sessionMs = 10_000
    cookie = `__Host-tollgate=${newSessionValue(dependencies.keys.proxySession)}`
    await ask('/v1/forward-auth', { cookie })
    expect(await ask('/v1/forward-auth', { cookie })).toMatchObject({ status: 200, isRouted: false })
    now += 11_000
    expect(await ask('/v1/forward-auth', { cookie })).toMatchObject({ status: 401, isRouted: true })
  })

  test('to another spelling, another scheme, a cookie twice, or a broken cookie beside a good token', async () => {
    const [header = '', body = '', signature = ''] = token.split('.')
    const refused: Record<string, string>[] = [
      // The signature is one that is remembered.
      { authorization: `Bearer ${header}.${body.slice(0, -4)}AAAA.${signature}` },
      { authorization: `Bearer ${header}.${body}A.${signature}` },
      { authorization: `Bearer ${signature}` },
      { authorization: `Bearer ${token}=` },
      { authorization: `Basic ${token}` },
      { authorization: `Bearer ${token.slice(0, -1)}` },
      { cookie: `${cookie}; ${cookie}` },
      { cookie: '__Host-tollgate=x', ...bearer() },
    ]
    for (const headers of refused) {
      expect(await ask('/v1/forward-auth', headers)).toMatchObject({ status: 401, isRouted: true })
    }
  })

  test('for another method, with a body, or while stopping', async () => {
    expect(await ask('/api/auth/verify', bearer(), 'POST')).toMatchObject({ status: 404, isRouted: true })
    expect(await ask('/api/auth/verify', { ...bearer(), 'content-length': '0' })).toMatchObject({ isRouted: true })
    const encoded = await ask('/api/auth/verify', { ...bearer(), 'content-encoding': 'br' })
    expect(encoded).toMatchObject({ status: 415, isRouted: true })
    expect(await ask('/api/auth/verify?x=1', bearer())).toMatchObject({ status: 200, isRouted: true })
    stopping.abort()
    expect(await ask('/api/auth/verify', bearer())).toMatchObject({ isRouted: true })
  })
})
