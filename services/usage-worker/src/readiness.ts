import type { Check } from '@tollgate/shared/lifecycle'
import type { ReadUsageBacklog } from './read-usage-backlog.ts'

/** Longest time without a finished job while jobs wait, before the worker calls itself not ready. */
const STUCK_AFTER_MS = 60_000

/** What progress is judged by. */
export interface ProgressOptions {
  readonly readBacklog: ReadUsageBacklog
  /** When a job was last finished, and when the inbox was last found or made empty (epoch ms). */
  readonly lastJobAt: () => number
  readonly lastDrainAt: () => number
  readonly now: () => number
  /** Default one minute. */
  readonly stuckAfterMs?: number
}

/** Fails when events wait and none has been recorded for a minute: a worker that lost its locks looks healthy otherwise. */
export function checkProgress(options: ProgressOptions): Check {
  const { readBacklog, lastJobAt, lastDrainAt, now, stuckAfterMs = STUCK_AFTER_MS } = options
  return async () => {
    const { queue, inbox } = await readBacklog()
    // Of the future: the clock was set back, and a worker that is stuck would look well until it is there again.
    const places = [
      { name: 'queue', oldestMs: queue?.oldestMs ?? 0, idleMs: Math.abs(now() - lastJobAt()) },
      { name: 'inbox', oldestMs: inbox?.oldestMs ?? 0, idleMs: Math.abs(now() - lastDrainAt()) },
    ]
    const stuck = places.find(({ oldestMs, idleMs }) => oldestMs > stuckAfterMs && idleMs > stuckAfterMs)
    if (stuck === undefined) return
    const seconds = (ms: number) => `${Math.round(ms / 1_000)} s`
    throw new Error(
      `${stuck.name}: the oldest event is ${seconds(stuck.oldestMs)} old, nothing was recorded for ${seconds(stuck.idleMs)}`,
    )
  }
}
