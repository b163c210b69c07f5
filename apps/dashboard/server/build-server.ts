import { join } from 'node:path'
import helmet from '@fastify/helmet'
import proxy from '@fastify/http-proxy'
import files from '@fastify/static'
import { opsRoutes } from '@tollgate/shared/lifecycle'
import type { Metrics } from '@tollgate/shared/metrics'
import { type FastifyInstance, fastify } from 'fastify'
import type { DashboardConfig } from './config.ts'

const SUPABASE_PREFIX = '/supabase'
const PAGE = join(import.meta.dirname, '../dist')

/** The page's files, compressed when they were built, under a policy that lets it talk to its two servers alone. */
export function buildServer(config: DashboardConfig, metrics: Metrics, stopping: AbortSignal): FastifyInstance {
  const app = fastify({ logger: false, requestTimeout: 10_000, forceCloseConnections: true })
  app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: pagePolicy(config) },
    // Plain HTTP on a developer's machine; whoever serves it to others puts TLS in front, and says so there.
    strictTransportSecurity: false,
  })
  if (config.SUPABASE_SAME_ORIGIN) app.register(proxy, { upstream: config.SUPABASE_URL, prefix: SUPABASE_PREFIX })
  app.get('/config.json', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return {
      supabaseUrl: config.SUPABASE_SAME_ORIGIN ? SUPABASE_PREFIX : config.SUPABASE_URL,
      publishableKey: config.SUPABASE_PUBLISHABLE_KEY,
      tokenApiUrl: config.TOKEN_API_URL,
      // The way through this server is for requests alone: the page need not try, and the browser not complain.
      realtime: !config.SUPABASE_SAME_ORIGIN,
    }
  })
  app.register(opsRoutes, { checks: {}, metrics, stopping })
  app.register(files, {
    root: PAGE,
    preCompressed: true,
    cacheControl: false,
    // Names of built files carry their hash; the page itself is looked at anew.
    setHeaders: (reply, path) => {
      const isHashed = path.includes('/assets/')
      reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  return app
}

function pagePolicy(config: DashboardConfig) {
  const servers = [new URL(config.SUPABASE_URL).origin, new URL(config.TOKEN_API_URL).origin]
  const sockets = servers.map((origin) => origin.replace(/^http/, 'ws'))
  return {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    // Heights and widths of bars are set as properties of elements, which this does not touch.
    styleSrcAttr: ["'none'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'", ...servers, ...sockets],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  }
}
