import type { Check } from '@tollgate/shared/lifecycle'
import type { Backlog } from '@tollgate/shared/queues'
import type { Rpc } from '@tollgate/shared/store'

/** What readiness looks at. */
export interface CheckDependencies {
  readonly rpc: Rpc
  readonly redis: { ping(): Promise<string> }
  readonly backlog: () => Promise<Backlog>
  readonly lastSweepAt: () => number | undefined
  readonly maxSweepAgeMs: number
  readonly now: () => number
}

const MAX_WAIT_MS = 30_000

/** The checks of `/readyz`: both stores answer, sweeps succeed, wake-ups do not pile up. */
export function createChecks(dependencies: CheckDependencies): Readonly<Record<string, Check>> {
  const { rpc, redis, backlog, lastSweepAt, maxSweepAgeMs, now } = dependencies
  return {
    postgres: () => rpc('tollgate_ping', {}),
    redis: () => redis.ping(),
    sweep: () => {
      const at = lastSweepAt()
      if (at === undefined) throw new Error('no sweep has succeeded yet')
      // Of the future: the clock was set back, and a sweep that hangs would look well until it is there again.
      const ageMs = Math.abs(now() - at)
      if (ageMs > maxSweepAgeMs) throw new Error(`the last sweep that succeeded was ${ageMs} ms ago`)
    },
    // A worker that has lost its connection looks healthy; that jobs wait for it does not.
    queue: async () => {
      const { oldestMs } = await backlog()
      if (oldestMs > MAX_WAIT_MS) throw new Error(`a wake-up has waited for ${oldestMs} ms`)
    },
  }
}
