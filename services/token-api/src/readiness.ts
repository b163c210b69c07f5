import { once } from 'node:events'
import type { Check } from '@tollgate/shared/lifecycle'
import { EvictionError, requireNoEviction } from '@tollgate/shared/queues'
import type { Redis } from 'ioredis'
import type { FailMode } from './gate/gate.ts'

const FIRST_CONNECT_MS = 1_000

/**
 * The checks of `/readyz`. Redis or Postgres may be away, not both: events are taken while one of them answers, and an
 * instance that can still do that must stay in the load balancer.
 */
export function createChecks(
  redis: Pick<Redis, 'ping'>,
  pingStore: () => Promise<void>,
  isLeased: () => boolean,
  failMode: FailMode,
): Record<string, Check> {
  return {
    gate: () => {
      if (!isLeased() && failMode === 'closed') throw new Error('the gate has no lease and refuses everybody')
    },
    storage: () => Promise.any([redis.ping(), pingStore()]),
  }
}

/**
 * Refuses to start on a Redis that may drop jobs; one that is away at this moment, or goes while it is asked, is not waited for.
 * @throws EvictionError
 */
export async function refuseEviction(redis: Redis): Promise<'noeviction' | 'unknown'> {
  if (redis.status !== 'ready') {
    await once(redis, 'ready', { signal: AbortSignal.timeout(FIRST_CONNECT_MS) }).catch(() => undefined)
  }
  if (redis.status !== 'ready') return 'unknown'
  return requireNoEviction(redis).catch((error: unknown) => {
    if (error instanceof EvictionError) throw error
    return 'unknown'
  })
}
