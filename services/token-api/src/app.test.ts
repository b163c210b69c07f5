import { once } from 'node:events'
import { connect } from 'node:net'
import { StoreError } from '@tollgate/shared/store'
import { beforeEach, describe, expect, test } from 'vitest'
import { ROLES } from './access/roles.ts'
import { type AppDependencies, buildApp } from './app.ts'
import { unreachableDependencies } from './testing/app-dependencies.ts'
import { listRoutes } from './testing/list-routes.ts'

const OPERATOR_KEY = 'tg_0123456789abcdef0123456789abcdef'
const ORGANIZATION = 'ac3e0000-0000-4000-8000-000000000001'

let fault: Error
let lines: string[]
let dependencies: AppDependencies

beforeEach(async () => {
  fault = new Error('boom')
  lines = []
  dependencies = await unreachableDependencies(() => fault, lines)
})

const getQuota = () =>
  buildApp(dependencies).inject({
    url: `/v1/organizations/${ORGANIZATION}/quota`,
    headers: { authorization: `Bearer ${OPERATOR_KEY}` },
  })

describe('a fault on our side', () => {
  test('is a 500 that says nothing of what is inside, and a log line that does', async () => {
    const answer = await getQuota()
    expect(answer.statusCode).toBe(500)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toEqual({
      type: 'https://tollgate.dev/problems/internal',
      title: 'Something went wrong on our side',
      status: 500,
      detail: 'The request could not be handled.',
    })
    expect(lines.join()).toContain('boom')
    expect(lines.join()).not.toContain(OPERATOR_KEY)
  }, 20_000)

  test('that will pass is a 503 with Retry-After', async () => {
    fault = new StoreError('connect ECONNREFUSED 10.0.0.7', { code: 'unavailable', retryable: true })
    const answer = await getQuota()
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('1')
    expect(answer.body).not.toContain('10.0.0.7')
  })
})

describe('the API describes itself', () => {
  test('with every route, each of which has its row in the table of rights', async () => {
    const document = (await buildApp(dependencies).inject('/openapi.json')).json()
    expect(document.openapi).toBe('3.1.0')
    const documented = Object.entries<object>(document.paths).flatMap(([path, verbs]) =>
      Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`),
    )
    const routes = await listRoutes(buildApp(dependencies))
    expect(documented.toSorted()).toEqual(routes.filter((route) => !['GET /docs', 'GET /openapi.json'].includes(route)))
    // A new route needs its row in access/roles.ts, and an example in test/support/role-requests.ts.
    expect(routes).toEqual(Object.keys(ROLES).toSorted())
    const { requestBody } = document.paths['/v1/events'].post
    expect(Object.keys(requestBody.content)).toContain('application/cloudevents-batch+json')
    expect(JSON.stringify(requestBody)).toContain('cache_read_input_tokens')
  })
})

test('the page to read the API works without the internet and under its own policy', async () => {
  const app = buildApp(dependencies)
  const page = await app.inject('/docs/')
  expect(page.headers['content-type']).toMatch(/^text\/html/)
  expect(page.headers['content-security-policy']).toContain("script-src 'self';")
  // Nothing inline that the policy would forbid, and nothing from elsewhere.
  expect(page.body).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>[^<]|\son\w+=/)
  const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source)
  expect(sources.length).toBeGreaterThan(3)
  for (const source of sources) {
    const answer = await app.inject(new URL(source, 'http://x/docs/').pathname)
    expect(answer.statusCode, source).toBe(200)
    expect(new URL(source, 'http://x/docs/').host).toBe('x')
  }
})

describe('every answer', () => {
  test('names its request, and a harmless name of the caller is kept', async () => {
    const app = buildApp(dependencies)
    const idOf = async (id: string) =>
      (await app.inject({ url: '/x', headers: { 'x-request-id': id } })).headers['x-request-id']
    expect(await idOf('req-1.a')).toBe('req-1.a')
    expect(await idOf('{"a":1}')).toMatch(/^[\da-f-]{36}$/)
    expect(await idOf('x'.repeat(129))).toMatch(/^[\da-f-]{36}$/)
  })

  test('forbids framing, sniffing and caching', async () => {
    const { headers } = await buildApp(dependencies).inject('/api/auth/verify')
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'www-authenticate': 'Bearer realm="tollgate"',
    })
  })

  test('may be read by the named origins alone', async () => {
    const app = buildApp(dependencies)
    const preflight = (origin: string) =>
      app.inject({
        method: 'OPTIONS',
        url: '/api/librechat/auth',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      })
    expect((await preflight('https://app.example')).headers['access-control-allow-origin']).toBe('https://app.example')
    expect((await preflight('https://evil.example')).headers).not.toHaveProperty('access-control-allow-origin')
  })
})

test('an access token longer than 16 KiB passes', async () => {
  const app = buildApp(dependencies)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  try {
    const response = await fetch(`${url}/api/auth/verify`, {
      headers: { authorization: `Bearer ${'a'.repeat(40_000)}` },
    })
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ reason: 'malformed' })
  } finally {
    await app.close()
  }
})

test.each([
  ['no request at all', 'nonsense\r\n\r\n', 'bad-request', 400],
  ['headers beyond 64 KiB', `GET / HTTP/1.1\r\nX-A: ${'a'.repeat(66_000)}\r\n\r\n`, 'headers-too-large', 431],
])('what no route gets to see is a problem too: %s', async (_name, bytes, code, status) => {
  const app = buildApp(dependencies)
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  try {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
    socket.write(bytes)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    const [head = '', body = ''] = answer.toString().split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\r\ncontent-type: application/problem\\+json\r\n`, 's'))
    expect(JSON.parse(body)).toMatchObject({ type: `https://tollgate.dev/problems/${code}`, status })
  } finally {
    await app.close()
  }
})
