import { hash } from 'node:crypto'
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import { ProblemError } from '@tollgate/shared/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../routes/typed-app.ts'
import { setBounded } from '../set-bounded.ts'
import { type SharedCounts, WINDOW_MS } from './count-together.ts'
import type { RateLimits, RatePolicy } from './read-rate-limits.ts'
import { isOpenRoute, isUnlimitedRoute } from './route-manners.ts'

/** What limiting stands on. */
export interface LimitOptions {
  readonly limits: RateLimits
  readonly counts: Pick<SharedCounts, 'count'>
  readonly onLimited: (policy: RatePolicy) => void
}

// What a server does for each model call.
const METERING = /^\/(?:v1\/(?:events|reservations|tokens)|oauth\/)/
const MAX_PROVED = 10_000

/**
 * Limits each caller's requests a minute. A caller is its credential once that was good here; until then it shares its
 * address's limit with whoever else tries, so that a new made-up credential gives no new allowance.
 */
export function limitRates(app: App, { limits, counts, onLimited }: LimitOptions): void {
  const proved = new Map<string, true>()
  const keyOf = (request: FastifyRequest): string => {
    const credential = digestOf(request)
    if (credential === undefined || !proved.has(credential)) return `anonymous:${normalizeIP(request.ip)}`
    return `${policyOf(request)}:${credential}`
  }
  app.register(rateLimit, {
    global: false,
    timeWindow: WINDOW_MS,
    keyGenerator: keyOf,
    max: (_request, key) => limits[policyIn(key)],
    store: storeOver(counts),
  })
  app.after(() => {
    const check = app.createRateLimit()
    app.addHook('onRequest', async (request, reply) => {
      if (isUnlimitedRoute(request.routeOptions.url)) return
      const verdict = await check(request)
      if (verdict.isAllowed) return
      const policy = policyIn(verdict.key)
      sayLimit(reply, policy, verdict)
      if (!verdict.isExceeded) return
      onLimited(policy)
      const detail = `More than ${verdict.max} requests a minute; go on in ${verdict.ttlInSeconds} s.`
      throw new ProblemError('too-many-requests', detail, { retryAfterSeconds: verdict.ttlInSeconds })
    })
    app.addHook('onResponse', async (request, reply) => {
      const { url } = request.routeOptions
      if (isUnlimitedRoute(url) || isOpenRoute(request.method, url)) return
      const credential = digestOf(request)
      if (credential === undefined) return
      // 403 is said to somebody known; other refusals may have come before anybody looked at the credential.
      if (reply.statusCode < 400 || reply.statusCode === 403) setBounded(proved, MAX_PROVED, credential, true)
      else if (reply.statusCode === 401) proved.delete(credential)
    })
  })
}

/** `RateLimit` fields as in draft-ietf-httpapi-ratelimit-headers. */
function sayLimit(
  reply: FastifyReply,
  policy: RatePolicy,
  verdict: { max: number; remaining: number; ttlInSeconds: number },
) {
  reply.header('ratelimit-policy', `"${policy}";q=${verdict.max};w=${WINDOW_MS / 1_000}`)
  reply.header('ratelimit', `"${policy}";r=${verdict.remaining};t=${verdict.ttlInSeconds}`)
}

function digestOf({ headers }: FastifyRequest): string | undefined {
  const credential = headers.authorization ?? headers.cookie
  return credential === undefined ? undefined : hash('sha256', credential, 'base64url')
}

function policyOf({ headers, routeOptions }: FastifyRequest): RatePolicy {
  if (!/^bearer +tg_/i.test(headers.authorization ?? '')) return 'people'
  return METERING.test(routeOptions.url ?? '') ? 'metering' : 'servers'
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
