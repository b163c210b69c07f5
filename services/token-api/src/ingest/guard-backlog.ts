import { ProblemError } from '@tollgate/shared/contracts'

/** Where accepted events wait, and how many do. Each rejects while its server is away. */
export interface BacklogSources {
  readonly readRedis: () => Promise<number>
  readonly readInbox: () => Promise<number>
}

/** Keeps the door shut while too much is waiting already. */
export interface BacklogGuard {
  /**
   * Lets some events in and remembers them; the caller says when they are stored, or that they are not going to be.
   * @throws ProblemError `unavailable` with `reason: backlog_full`
   */
  enter(events: number): (isStored: boolean) => void
  /** Events that are waiting, as far as is known: as last read, and what was let in since. */
  waiting(): number
  /** Reads both places anew; never rejects. One that does not answer keeps its last figure. */
  refresh(): Promise<void>
}

const RETRY_AFTER_SECONDS = 5

/**
 * Makes a guard. A door that takes whatever comes fills Redis up to its memory, and then refuses everything; this one
 * refuses while what is there can still be worked off. Between two readings it counts what it lets in itself.
 */
export function createBacklogGuard(limit: number, { readRedis, readInbox }: BacklogSources): BacklogGuard {
  let inRedis = 0
  let inInbox = 0
  let underWay = 0
  let storedSince = 0
  const waiting = () => inRedis + inInbox + underWay + storedSince
  return {
    waiting,
    enter: (events) => {
      if (waiting() + events > limit) {
        throw new ProblemError('unavailable', 'Too many accepted events wait to be recorded; nothing was taken.', {
          extensions: { reason: 'backlog_full' },
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        })
      }
      underWay += events
      return (isStored) => {
        underWay -= events
        if (isStored) storedSince += events
      }
    },
    refresh: async () => {
      const before = storedSince
      const [redis, inbox] = await Promise.allSettled([readRedis(), readInbox()])
      if (redis.status === 'fulfilled') inRedis = redis.value
      if (inbox.status === 'fulfilled') inInbox = inbox.value
      // What was stored before the reading is part of it, unless nobody could be read.
      if (redis.status === 'fulfilled' || inbox.status === 'fulfilled') storedSince -= before
    },
  }
}
