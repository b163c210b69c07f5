import cors from '@fastify/cors'
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

/** Security headers, and CORS for the named origins alone. */
export function secure(app: App, origins: string[]): void {
  const headers = Object.entries(securityHeaders(origins))
  app.addHook('onRequest', (_request, reply, done) => {
    for (const [name, value] of headers) reply.header(name, value)
    done()
  })
  if (origins.length === 0) return
  app.register(cors, {
    origin: origins,
    credentials: true,
    methods: ['GET', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'idempotency-key', 'prefer', 'x-request-id'],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: 600,
  })
}

/** The same headers, and `cache-control`, for answers that do not pass by hooks: names and values in turn. */
export function constantHeaders(origins: readonly string[]): (origin: string | undefined) => readonly string[] {
  const constant = Object.entries({ 'cache-control': 'no-store', ...securityHeaders(origins) }).flat()
  if (origins.length === 0) return () => constant
  const exposed = EXPOSED_HEADERS.join(', ')
  const shared = [
    ...[...constant, 'vary', 'Origin'],
    ...['access-control-allow-credentials', 'true', 'access-control-expose-headers', exposed],
  ]
  const allowed = new Map(origins.map((origin) => [origin, [...shared, 'access-control-allow-origin', origin]]))
  return (origin) => (origin === undefined ? shared : (allowed.get(origin) ?? shared))
}

function securityHeaders(origins: readonly string[]): Record<string, string> {
  const policy = origins.length > 0 ? 'cross-origin' : 'same-origin'
  return { ...SECURITY_HEADERS, 'cross-origin-resource-policy': policy }
}
