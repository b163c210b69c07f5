import type { Phases } from '@tollgate/shared/lifecycle'
import type { Redis } from 'ioredis'
import type { Config } from '../config.ts'
import type { Meters } from '../meters.ts'
import { countTogether } from './count-together.ts'
import type { LimitOptions } from './limit-rates.ts'

/** What rate limits stand on. */
export interface RateOptions {
  readonly config: Pick<Config, 'RATE_LIMITS' | 'REDIS_NAMESPACE'>
  readonly redis: Redis
  readonly phases: Phases
  readonly meters: Pick<Meters, 'limited'>
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

/** Opens the rate limits over all instances; none with RATE_LIMITS=off. */
export function openRates({ config, redis, phases, meters, now, onError }: RateOptions): { rates?: LimitOptions } {
  if (config.RATE_LIMITS === null) return {}
  const counts = countTogether({ redis, namespace: config.REDIS_NAMESPACE, now, onError })
  phases.add('close', 'rate limits', 100, counts.stop)
  return { rates: { limits: config.RATE_LIMITS, counts, onLimited: (policy) => meters.limited.inc({ policy }) } }
}
