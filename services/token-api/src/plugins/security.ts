import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import type { App } from '../routes/typed-app.ts'

/** Security headers, and CORS for the named origins alone. */
export function secure(app: App, origins: string[]): void {
  app.register(helmet, {
    // Nothing that is answered here is a page.
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    crossOriginResourcePolicy: { policy: origins.length > 0 ? 'cross-origin' : 'same-origin' },
  })
  if (origins.length === 0) return
  app.register(cors, {
    origin: origins,
    credentials: true,
    methods: ['GET', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'idempotency-key', 'prefer', 'x-request-id'],
    exposedHeaders: [
      ...['x-request-id', 'retry-after', 'preference-applied'],
      ...['ratelimit', 'ratelimit-policy', 'idempotency-replayed'],
    ],
    maxAge: 600,
  })
}
