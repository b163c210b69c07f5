import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { answerPosts } from './answer-posts.ts'
import type { Failure } from './hand-over.ts'

const KEY = 'tg_0123456789abcdef0123456789abcdef'
const HEADERS = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }

let server: Server
let url: string
let scopes: string[]
let allowed: number
let isKnown: boolean
let isStopping: boolean
let failures: Failure[]
let begun: unknown[]

beforeEach(async () => {
  ;[scopes, allowed, isKnown, isStopping, failures, begun] = [['things:write'], 1_000, true, false, [], []]
  const key = () => ({ id: 'key-1', scopes, organization_id: null, expires_at: null })
  const answer = answerPosts({
    posts: {
      '/things': {
        scope: 'things:write',
        contentTypes: ['application/json'],
        bodyLimitBytes: 100,
        status: 201,
        prepare: (body) => (body === 'odd' ? undefined : (posted) => act(body, posted.reply)),
      },
    },
    recallKey: () => (isKnown ? key() : undefined),
    countKey: () => (allowed-- > 0 ? [['ratelimit', `"metering";r=${allowed}`]] : undefined),
    takeRequestId: () => 'r-1',
    headers: ['cache-control', 'no-store'],
    isStopping: () => isStopping,
    handOver: {
      route: async (request, response) => response.end(`routed ${await readText(request)}`),
      fail: (_request, response, failure) => {
        failures.push(failure)
        response.writeHead(503).end('failed')
      },
    },
  })
  server = createServer(async (request: IncomingMessage, response) => {
    if (!answer(request, response)) response.end(`routed ${await readText(request)}`)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/things`
})
afterEach(() => server.closeAllConnections() ?? server.close())

async function act(body: unknown, reply: { header(name: string, value: string): unknown }) {
  begun.push(body)
  reply.header('ratelimit', '"monthly-tokens";r=1')
  if (body === 'fails') throw new Error('away')
  return { took: body }
}

const post = (body: string, headers: Record<string, string> = {}, method = 'POST') =>
  fetch(url, { method, headers: { ...HEADERS, ...headers }, ...(method === 'POST' ? { body } : {}) })

test('a post that is here as a whole is answered at once', async () => {
  const answer = await post('"a"')
  expect([answer.status, await answer.json()]).toEqual([201, { took: 'a' }])
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-request-id': 'r-1',
    ratelimit: '"monthly-tokens";r=1',
  })
})

test('what fails after it had begun is handed over with its headers, and not begun again', async () => {
  expect((await post('"fails"')).status).toBe(503)
  expect(begun).toEqual(['fails'])
  expect(failures).toEqual([{ error: new Error('away'), headers: [['ratelimit', '"monthly-tokens";r=1']] }])
})

test.each([
  ['a body that the route is to judge', '"odd"', {}],
  ['what is no JSON', '{"a', {}],
  ['no body', '', {}],
  ['a body over the limit', JSON.stringify('x'.repeat(99)), {}],
  ['another content type', '"a"', { 'content-type': 'text/plain' }],
  ['a wish', '"a"', { prefer: 'wait=5' }],
  ['a key for repeats', '"a"', { 'idempotency-key': 'k' }],
  ['a page of a browser', '"a"', { origin: 'https://app.example' }],
  ['an encoded body', '"a"', { 'content-encoding': 'gzip' }],
  ['another scheme', '"a"', { authorization: `Basic ${KEY}` }],
])('%s goes to the route with the body as it came', async (_name, body, headers) => {
  const answer = await post(body, headers)
  expect([answer.status, await answer.text()]).toEqual([200, `routed ${body}`])
  expect(begun).toEqual([])
  // Nothing was counted that the route counts.
  expect(allowed).toBe(1_000)
})

test.each<[string, () => unknown]>([
  ['a key that has to be asked for', () => (isKnown = false)],
  ['a key that may not', () => (scopes = ['other:write'])],
  ['one request too many', () => (allowed = 0)],
  ['a service that stops', () => (isStopping = true)],
])('%s goes to the route', async (_name, arrange) => {
  arrange()
  expect(await (await post('"a"')).text()).toBe('routed "a"')
  expect(begun).toEqual([])
})

test('another method goes to the route', async () => {
  expect(await (await post('', {}, 'GET')).text()).toBe('routed ')
})

test('a body that comes in pieces goes to the route as a whole; the connection goes on', async () => {
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk) => (received += chunk.toString()))
  const head = (length: number) =>
    `POST /things HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`
  const arrival = once(server, 'request')
  socket.write(`${head(3)}"b`)
  await arrival
  await new Promise((resolve) => setImmediate(resolve))
  socket.write('"')
  await expect.poll(() => received).toContain('routed "b"')
  // Two at a time: they are answered in their order.
  socket.write(`${head(3)}"c"${head(5)}"odd"${head(3)}"d"`)
  await expect.poll(() => received).toContain('{"took":"d"}')
  const answers = ['routed "b"', '{"took":"c"}', 'routed "odd"', '{"took":"d"}']
  expect(answers.map((answer) => received.indexOf(answer))).toEqual(
    answers.map((answer) => received.indexOf(answer)).sort((one, other) => one - other),
  )
  expect(begun).toEqual(['c', 'd'])
  socket.destroy()
})
