import { DEFAULT_QUOTA_POLICY, type QuotaPolicy, quotaPolicy } from '../contracts/index.ts'

/**
 * The ladder that holds for a stored one: null means the default. One that cannot be read means the default too, and
 * `onUnreadable` is told: an organization without any ladder would never be stopped.
 */
export function readPolicy(stored: unknown, onUnreadable: () => void): QuotaPolicy {
  if (stored === null || stored === undefined) return DEFAULT_QUOTA_POLICY
  const parsed = quotaPolicy.safeParse(stored)
  if (parsed.success) return parsed.data
  onUnreadable()
  return DEFAULT_QUOTA_POLICY
}
