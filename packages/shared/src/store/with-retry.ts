import { setTimeout as delay } from 'node:timers/promises'
import { isRetryableStoreError } from './store-error.ts'

/** How often and how patiently a call is repeated. */
export interface RetryOptions {
  /** Tries in all, the first one included. */
  readonly attempts: number
  readonly baseMs: number
  readonly maxMs: number
  /** Default: `StoreError`s that say so. */
  readonly isRetryable?: (error: unknown) => boolean
  /** Ends the waiting between tries. */
  readonly signal?: AbortSignal
  readonly random?: () => number
}

/** Runs `fn` until it succeeds, with exponential backoff and full jitter; throws the last error. */
export async function withRetry<T>(fn: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { attempts, baseMs, maxMs, isRetryable = isRetryableStoreError, signal, random = Math.random } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await fn(attempt)
    } catch (error) {
      if (attempt >= attempts || !isRetryable(error) || signal?.aborted) throw error
      const ceilingMs = Math.min(maxMs, baseMs * 2 ** (attempt - 1))
      // An abort while waiting rethrows the call's own error: that is what the caller has to know.
      await delay(ceilingMs * random(), undefined, signal ? { signal } : {}).catch(() => {
        throw error
      })
    }
  }
}
