import cors from '@fastify/cors'
import type { FastifyReply } from 'fastify'
import type { App } from '../routes/typed-app.ts'

// What helmet answers with, less what is for pages or for browsers that are gone: the same each time, and computing it
// for each request cost as much as a decision from memory.
const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'SAMEORIGIN',
}
const EXPOSED_HEADERS = [
  ...['x-request-id', 'retry-after', 'preference-applied'],
  ...['ratelimit', 'ratelimit-policy', 'idempotency-replayed'],
]

// All that an answer to a named origin has.
const BROWSER_HEADERS = headersByOrigin(['*'])('*').map(([name]) => name)

/** Security headers, and CORS for the named origins alone. */
export function secure(app: App, origins: string[]): void {
  const headersFor = headersByOrigin(origins)
  app.addHook('onRequest', ({ headers: { origin } }, reply, done) => {
    for (const [name, value] of headersFor(origin)) reply.header(name, value)
    done()
  })
  if (origins.length === 0) return
  // In a scope of its own, whose one route is that of preflights: its hook would work the same headers out for each request.
  app.register(async (scope: App) => {
    scope.register(cors, {
      origin: origins,
      credentials: true,
      methods: ['GET', 'POST', 'PUT', 'DELETE'],
      allowedHeaders: ['authorization', 'content-type', 'idempotency-key', 'prefer', 'x-request-id'],
      exposedHeaders: EXPOSED_HEADERS,
      maxAge: 600,
    })
  })
}

/** Takes from an answer what only a browser heeds, where none reads it. */
export function forProxy(reply: FastifyReply): FastifyReply {
  for (const name of BROWSER_HEADERS) reply.removeHeader(name)
  return reply
}

/** The same headers, and `cache-control`, for answers that do not pass by hooks: names and values in turn. */
export function constantHeaders(origins: readonly string[]): (origin: string | undefined) => readonly string[] {
  const headersFor = headersByOrigin(origins)
  const flat = (origin?: string) => ['cache-control', 'no-store', ...headersFor(origin).flat()]
  const [shared, allowed] = [flat(), new Map(origins.map((origin) => [origin, flat(origin)]))]
  return (origin) => (origin === undefined ? shared : (allowed.get(origin) ?? shared))
}

type Headers = readonly (readonly [name: string, value: string])[]

function headersByOrigin(origins: readonly string[]): (origin: string | undefined) => Headers {
  const policy = origins.length > 0 ? 'cross-origin' : 'same-origin'
  const constant = Object.entries({ ...SECURITY_HEADERS, 'cross-origin-resource-policy': policy })
  if (origins.length === 0) return () => constant
  const shared: Headers = [
    ...constant,
    ['vary', 'Origin'],
    ['access-control-allow-credentials', 'true'],
    ['access-control-expose-headers', EXPOSED_HEADERS.join(', ')],
  ]
  const allow = (origin: string): Headers => [...shared, ['access-control-allow-origin', origin]]
  const allowed = new Map(origins.map((origin) => [origin, allow(origin)]))
  return (origin) => (origin === undefined ? shared : (allowed.get(origin) ?? shared))
}
