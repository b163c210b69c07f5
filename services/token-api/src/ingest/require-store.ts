import { ProblemError } from '@tollgate/shared/contracts'

/** What the check stands on. */
export interface StoreCheckOptions {
  /** @throws StoreError within two seconds while Postgres is away */
  readonly ping: () => Promise<void>
  /** Monotonic, in ms. */
  readonly monotonicNow: () => number
}

const TRUSTED_MS = 500

/**
 * Makes the check that a request with `Prefer: wait` begins with: what can only be told after a commit in Postgres is not
 * promised while Postgres is away. One answer holds for half a second, for all requests.
 * @returns a function that throws ProblemError `unavailable` with `reason: outcome_unavailable`
 */
export function createStoreCheck({ ping, monotonicNow }: StoreCheckOptions): () => Promise<void> {
  let latest: { readonly answer: Promise<void>; readonly untilMs: number } | undefined
  return async () => {
    if (latest === undefined || monotonicNow() >= latest.untilMs) {
      latest = { answer: ping(), untilMs: monotonicNow() + TRUSTED_MS }
    }
    try {
      await latest.answer
    } catch (error) {
      throw new ProblemError('unavailable', 'Postgres is away: no outcome can be waited for, and nothing was taken.', {
        cause: error,
        extensions: { reason: 'outcome_unavailable' },
        retryAfterSeconds: 1,
      })
    }
  }
}
