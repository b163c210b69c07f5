import type { SharedCounts } from './count-together.ts'
import { policyOf, writeLimit } from './limit-rates.ts'
import type { RateLimits } from './read-rate-limits.ts'

/** Counts one more request of a key; gives the headers that say how many are left, undefined for one too many. */
export type CountKey = (keyId: string, url: string) => readonly (readonly [name: string, value: string])[] | undefined

/** Counts as `limitRates` does, for requests that do not come there. One too many is counted there again, and refused. */
export function countKeys(limits: RateLimits, counts: Pick<SharedCounts, 'count'>): CountKey {
  return (keyId, url) => {
    const caller = `key:${keyId}`
    const policy = policyOf(caller, url)
    const max = limits[policy]
    const { current, ttlMs } = counts.count(`${policy}:${caller}`)
    if (current > max) return undefined
    return writeLimit(policy, { max, remaining: max - current, ttlInSeconds: Math.ceil(ttlMs / 1_000) })
  }
}
