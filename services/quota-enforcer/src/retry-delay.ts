const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

// As Standard Webhooks recommends: some four days altogether.
const DELAYS_MS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
const JITTER = 0.2

/**
 * How long to wait after the `attempt`-th failure (from 1); null: give up. `random` of [0, 1) spreads retries, so that a
 * receiver that comes back is not met by all of them at once.
 */
export function retryDelayMs(attempt: number, random: () => number): number | null {
  const delay = DELAYS_MS[attempt - 1]
  return delay === undefined ? null : Math.round(delay * (1 + JITTER * random()))
}
