import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import { ProblemError } from '@tollgate/shared/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../routes/typed-app.ts'
import { type SharedCounts, WINDOW_MS } from './count-together.ts'
import type { ProvedCallers } from './prove-callers.ts'
import type { RateLimits, RatePolicy } from './read-rate-limits.ts'
import { isUnlimitedRoute } from './route-manners.ts'

/** What limiting stands on. */
export interface LimitOptions {
  readonly limits: RateLimits
  readonly counts: Pick<SharedCounts, 'count'>
  readonly onLimited: (policy: RatePolicy) => void
}

// What a server does for each model call.
const METERING = /^\/(?:v1\/(?:events|reservations|tokens)|oauth\/)/

/**
 * Limits each caller's requests a minute. A caller is who a credential that was good here belongs to; until it was, it
 * shares its address's limit with whoever else tries, so that a new made-up credential gives no new allowance.
 */
export function limitRates(app: App, { limits, counts, onLimited }: LimitOptions, callers: ProvedCallers): void {
  app.register(rateLimit, {
    global: false,
    timeWindow: WINDOW_MS,
    keyGenerator: ({ headers, ip, routeOptions }) => {
      const caller = callers.find(headers.authorization)
      return caller === undefined ? `anonymous:${normalizeIP(ip)}` : `${policyOf(caller, routeOptions.url)}:${caller}`
    },
    max: (_request, key) => limits[policyIn(key)],
    store: storeOver(counts),
  })
  app.after(() => {
    const check = app.createRateLimit()
    const limit = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const verdict = await check(request)
      if (verdict.isAllowed) return
      const policy = policyIn(verdict.key)
      for (const [name, value] of writeLimit(policy, verdict)) reply.header(name, value)
      if (!verdict.isExceeded) return
      onLimited(policy)
      const detail = `More than ${verdict.max} requests a minute; go on in ${verdict.ttlInSeconds} s.`
      throw new ProblemError('too-many-requests', detail, { retryAfterSeconds: verdict.ttlInSeconds })
    }
    // Those without a limit wait for nothing.
    app.addHook('onRequest', (request, reply, done) => {
      if (isUnlimitedRoute(request.routeOptions.url)) return done()
      limit(request, reply).then(() => done(), done)
    })
  })
}

/** What was counted of a window. */
interface Counted {
  readonly max: number
  readonly remaining: number
  readonly ttlInSeconds: number
}

/** `RateLimit` fields as in draft-ietf-httpapi-ratelimit-headers. */
export function writeLimit(policy: RatePolicy, { max, remaining, ttlInSeconds }: Counted): [string, string][] {
  return [
    ['ratelimit-policy', `"${policy}";q=${max};w=${WINDOW_MS / 1_000}`],
    ['ratelimit', `"${policy}";r=${remaining};t=${ttlInSeconds}`],
  ]
}

/** The limit under which a known caller's request to a route falls. */
export function policyOf(caller: string, url = ''): RatePolicy {
  if (caller.startsWith('user:')) return 'people'
  return METERING.test(url) ? 'metering' : 'servers'
}

const policyIn = (key: string): RatePolicy => {
  const [policy] = key.split(':')
  return policy === 'people' || policy === 'servers' || policy === 'metering' ? policy : 'anonymous'
}

// The library makes its own instance of a store; ours is one for the whole process.
function storeOver(counts: LimitOptions['counts']) {
  return class {
    incr(key: string, callback: (error: Error | null, result?: { current: number; ttl: number }) => void): void {
      const { current, ttlMs } = counts.count(key)
      callback(null, { current, ttl: ttlMs })
    }
    child() {
      return this
    }
  }
}
