import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openGate, type Person, type TestGate } from './support/open-gate.ts'
import { openWebsocket, rawRequest, sendRaw } from './support/raw-http.ts'

let gate: TestGate
let person: Person
let cookie: string
beforeAll(async () => {
  gate = await openGate()
  person = await gate.addPerson()
  cookie = await gate.letIn(person)
})
afterAll(() => gate.stop())
beforeEach(() => {
  gate.upstream.arrivals.length = 0
})

const send = (line: string, headers: readonly string[] = [], body = '') =>
  sendRaw(gate.port, rawRequest(line, [`Cookie: a=1; ${cookie}; b=2`, ...headers], body))

const SPOOFS: readonly string[] = [
  'X-Tenant-Id: evil',
  'x-tenant-id: evil',
  'X-TENANT-ID: evil',
  'X_Tenant_Id: evil',
  'X-Tenant_Id: evil',
  'X.Tenant.Id: evil',
  'X-Tenant-Id : evil',
  'X-Tollgate-User: evil',
  'X-TollGate-USER: evil',
  'X_Tollgate_User: evil',
  'X-Tollgate-Organization: evil',
  'X-Tollgate-Role: super_admin',
  'X-Tollgate-Session: evil',
  'X-Tollgate-Reason: evil',
  'X-Tollgate-Plan: evil',
  'x-TOLLGATE-anything-else: evil',
  'X-Tollgate: evil',
  'XTollgate-User: evil',
  'X--Tollgate-User: evil',
  'Tenant-Id: evil',
  'X-Tenantid: evil',
  '-X-Tenant-Id: evil',
  '_X-Tenant-Id: evil',
  'X-Auth-Request-User: evil',
  'Remote-User: evil',
  'X-Remote-User: evil',
  'X-Authenticated-User: evil',
  'X-Forwarded-Groups: evil',
  'X-Forwarded-Server: evil',
  'X-Original-URI: /evil',
  'X-Client-IP: evil',
  'True-Client-IP: evil',
  'CF-Connecting-IP: evil',
  'X-Amzn-Oidc-Identity: evil',
  'X-Middleware-Subrequest: evil',
  'HTTP-X-Tenant-Id: evil',
  'X-Forwarded-For: evil',
  'X-Forwarded-Host: evil',
  'X-Forwarded-User: evil',
  'X-Forwarded-Email: evil',
  'X-Forwarded-Prefix: /evil',
  'X-Real-IP: evil',
  'X-Original-URL: /evil',
  'X-Rewrite-URL: /evil',
  'X-HTTP-Method-Override: EVIL',
  'X-Request-Id: evil',
  'Forwarded: for=evil',
  'Proxy: evil',
  'Connection: close, X-Tenant-Id, X-Tollgate-User, Cookie, evil',
]

/** All that LibreChat gets when a browser sends no more than it must. */
const SENT = new Set([
  ...[
    'host',
    'cookie',
    'x-tenant-id',
    'x-tollgate-organization',
    'x-tollgate-user',
    'x-tollgate-role',
    'x-tollgate-session',
  ],
  ...['x-request-id', 'x-real-ip', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'],
])

describe('who it is, LibreChat learns from the gate alone', () => {
  test.each(SPOOFS)('%s', async (header) => {
    for (const headers of [[header], [header, header], [header, header.replace(/: .*/, ': ')]]) {
      const { statuses } = await send('GET /c/new HTTP/1.1', headers)
      // nginx itself refuses what is no header.
      expect([200, 400]).toContain(statuses[0])
    }
    for (const { headers } of gate.upstream.arrivals) {
      expect(JSON.stringify(headers).toLowerCase()).not.toContain('evil')
      expect(Object.keys(headers).filter((name) => !SENT.has(name))).toEqual([])
      expect(headers).toMatchObject({
        'x-tenant-id': [person.organizationId],
        'x-tollgate-organization': [person.organizationId],
        'x-tollgate-user': [person.userId],
        'x-tollgate-role': ['user'],
      })
    }
  })

  test('its own cookies and Authorization reach it untouched, ours does not', async () => {
    await send('GET /api/user HTTP/1.1', ['Authorization: Bearer librechat.own.token'])
    await sendRaw(gate.port, rawRequest('GET /api/user HTTP/1.1', [`Cookie: ${cookie}`]))
    await sendRaw(gate.port, rawRequest('GET /api/user HTTP/1.1', [`Cookie: a=1;${cookie}`]))
    const [first, second, third] = gate.upstream.arrivals
    expect(first?.headers).toMatchObject({ cookie: ['a=1; b=2'], authorization: ['Bearer librechat.own.token'] })
    expect(second?.headers.cookie).toBeUndefined()
    expect(third?.headers.cookie).toEqual(['a=1;'])
  })

  test('what browsers say of a request arrives as it was sent', async () => {
    const said = {
      accept: 'text/event-stream',
      'accept-language': 'de',
      'content-type': 'application/json',
      'if-none-match': '"a"',
      'last-event-id': '7',
      origin: 'https://chat.example.com',
      range: 'bytes=0-1',
      'sec-fetch-site': 'same-origin',
      'user-agent': 'Mozilla/5.0',
    }
    await send(
      'GET /api/messages HTTP/1.1',
      Object.entries(said).map(([name, value]) => `${name}: ${value}`),
    )
    const sent = Object.fromEntries(Object.entries(said).map(([name, value]) => [name, [value]]))
    expect(gate.upstream.arrivals[0]?.headers).toMatchObject(sent)
  })

  test('a body arrives as it was sent, and once', async () => {
    const chunked = ['Transfer-Encoding: chunked', 'Content-Type: text/plain']
    await send('POST /api/messages HTTP/1.1', chunked, '5\r\nhello\r\n0\r\n\r\n')
    await send('POST /api/messages HTTP/1.1', ['Content-Length: 5'], 'hello')
    expect(gate.upstream.arrivals.map(({ body }) => body)).toEqual(['hello', 'hello'])
  })

  test('what it answers comes through, but for what would undo the gate', async () => {
    for (const status of [401, 403, 500]) {
      expect((await send(`GET /status/${status} HTTP/1.1`)).statuses).toEqual([status])
    }
    const { text, statuses } = await send('GET /accel HTTP/1.1')
    expect(statuses).toEqual([200])
    expect(text).toMatch(/content-security-policy: frame-ancestors 'self' https:\/\/app\.example\.com/i)
    expect(text).not.toMatch(/x-frame-options/i)
    expect(text).toContain('"url":"/accel"')
  })
})

const OPEN = [
  'POST /api/auth/refresh',
  'POST /api/auth/logout',
  'GET /api/auth/graph-token',
  'GET /oauth/openid',
  'GET /oauth/openid/callback?code=1&state=2',
  'GET /oauth/openid/other',
  'GET /oauth/openidx',
  'GET /',
  'GET /c/new?q=//../',
  'GET /images/a%20b.png',
  'GET /loginhelp',
]
const CLOSED = [
  'POST /api/auth/login',
  'POST /api/auth/login/',
  'POST /API/auth/LOGIN',
  'POST /api/auth/%6cogin',
  'POST /api/%61uth/login?x=/api/auth/refresh',
  'POST /api/auth/register',
  'POST /api/auth/requestPasswordReset',
  'POST /api/auth/resetPassword',
  'POST /api/auth/2fa/verify-temp',
  'POST /api/auth',
  'POST /api/admin/login/local',
  'GET /api/admin/oauth/openid',
  'POST /api/user/verify',
  'GET /oauth/google',
  'GET /oauth/open',
  'GET /OAUTH/GitHub/callback',
  'POST /oauth/saml/callback',
  'GET /login',
  'GET /Login?redirect=false',
  'GET /login/2fa',
  'GET /register',
  'GET /forgot-password',
  'GET /reset-password?userId=1',
  'GET /verify?userId=1',
]
const ODD = [
  'POST /api/auth/./login',
  'POST /api/x/../auth/login',
  'POST /api/x/%2e%2e/auth/login',
  'POST /api//auth/login',
  'POST //api/auth/login',
  'POST /api%2fauth%2flogin',
  'POST /api/auth%5clogin',
  'POST /api\\auth\\login',
  'POST /api/auth/login;x',
  'POST /api/auth/login%00',
  'POST /api/auth/refresh/../login',
  'POST /c/new#/../api/auth/login',
  'POST /api/auth/log\u00ecn',
]

describe("LibreChat's own doors, for who is in", () => {
  test.each(OPEN)('open: %s', async (route) => {
    expect((await send(`${route} HTTP/1.1`)).statuses).toEqual([200])
    const [method, url] = route.split(' ')
    expect(gate.upstream.arrivals).toMatchObject([{ method, url, headers: { 'x-tollgate-user': [person.userId] } }])
  })
  test.each(CLOSED)('closed: %s', async (route) => {
    const { statuses, text } = await send(`${route} HTTP/1.1`)
    expect(statuses).toEqual([403])
    expect(text).toContain('Sign in through your application')
    expect(gate.upstream.arrivals).toEqual([])
  })
  test.each(ODD)('not understood: %s', async (route) => {
    expect((await send(`${route} HTTP/1.1`)).statuses).toEqual([400])
    expect(gate.upstream.arrivals).toEqual([])
  })

  test('a second request on the same connection is asked about as the first is', async () => {
    const first = rawRequest('GET /c/1 HTTP/1.1', [`Cookie: ${cookie}`], '', '')
    const { statuses } = await sendRaw(gate.port, first + rawRequest('GET /c/2 HTTP/1.1'))
    expect(statuses).toEqual([200, 401])
    expect(gate.upstream.arrivals.map(({ url }) => url)).toEqual(['/c/1'])
  })
})

describe('a websocket', () => {
  test('is opened for who is in, and carries bytes both ways', async () => {
    const { socket, head } = await openWebsocket(gate.port, [`Cookie: ${cookie}`, 'X-Tenant-Id: evil'])
    expect(head).toMatch(/^HTTP\/1\.1 101 /)
    expect(gate.upstream.arrivals[0]?.headers).toMatchObject({
      upgrade: ['websocket'],
      'x-tenant-id': [person.organizationId],
    })
    socket.write(Buffer.from([0x81, 0x02, 0x68, 0x69]))
    const [echo] = (await once(socket, 'data')) as [Buffer]
    expect([...echo]).toEqual([0x81, 0x02, 0x68, 0x69])
    socket.destroy()
  })

  test('is refused to everybody else', async () => {
    const { socket, head } = await openWebsocket(gate.port, [])
    expect(head).toMatch(/^HTTP\/1\.1 401 /)
    socket.destroy()
    expect(gate.upstream.arrivals).toEqual([])
  })

  test('is the one thing that a connection may become', async () => {
    const h2c = ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA', 'Connection: Upgrade, HTTP2-Settings']
    await sendRaw(gate.port, rawRequest('GET /c/new HTTP/1.1', [`Cookie: ${cookie}`, ...h2c], '', ''))
    expect(gate.upstream.arrivals.map(({ headers }) => [headers.upgrade, headers.connection])).not.toContainEqual([
      ['h2c'],
      expect.anything(),
    ])
    expect(gate.upstream.arrivals.every(({ headers }) => headers.upgrade === undefined)).toBe(true)
  })
})
