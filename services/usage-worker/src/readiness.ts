import type { Check } from '@tollgate/shared/lifecycle'
import type { Consumer } from '@tollgate/shared/queues'

/** Longest time without a finished job while jobs wait, before the worker calls itself not ready. */
const STUCK_AFTER_MS = 60_000

/** Fails when jobs wait and none has been finished for a minute: a worker that lost its locks looks healthy otherwise. */
export function checkProgress(consumer: Pick<Consumer, 'backlog' | 'lastProgressAt'>, now: () => number): Check {
  return async () => {
    const backlog = await consumer.backlog()
    const idleMs = now() - consumer.lastProgressAt()
    if (backlog.oldestWaitingMs > STUCK_AFTER_MS && idleMs > STUCK_AFTER_MS) {
      throw new Error(`${backlog.waiting} jobs wait, none was finished for ${Math.round(idleMs / 1_000)} s`)
    }
  }
}
