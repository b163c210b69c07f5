import type { Rpc } from './functions/index.ts'

/** Tells open dashboards, after a commit, that something of an organization changed. */
export interface LiveNotices {
  /** Never throws and is not waited for. */
  tell(organizationIds: Iterable<string>): void
  /** Waits for what is on its way. */
  stop(): Promise<void>
}

/** What telling stands on. */
export interface LiveNoticeOptions {
  readonly rpc: Rpc
  /** For spans, in ms: a clock that nobody sets. */
  readonly monotonicNow: () => number
  /** Told of what was not sent: pages ask by themselves now and then. */
  readonly onError: (error: unknown) => void
}

const GATHER_MS = 100
const INTERVAL_MS = 1_000
// A database without Realtime does not get it within minutes; one that is away may be back.
const NOT_OFFERED_MS = 600_000
const FAILED_MS = 10_000

/**
 * Makes the teller: one call a second at most for all organizations together, nothing at all where the database has no
 * Realtime. That an organization is told of once a second, whoever tells, is the business of `broadcast_changes`.
 */
export function createLiveNotices({ rpc, monotonicNow, onError }: LiveNoticeOptions): LiveNotices {
  const waiting = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> = Promise.resolve()
  let earliest = 0
  let isStopped = false

  function tell(organizationIds: Iterable<string>): void {
    if (isStopped || earliest - monotonicNow() > INTERVAL_MS) return
    for (const id of organizationIds) waiting.add(id)
    if (waiting.size > 0) timer ??= setTimeout(start, Math.max(GATHER_MS, earliest - monotonicNow()))
  }
  const start = (): void => {
    timer = undefined
    earliest = monotonicNow() + INTERVAL_MS
    const organizations = [...waiting]
    waiting.clear()
    sending = send(organizations)
  }
  async function send(organizations: string[]): Promise<void> {
    try {
      const [answer] = await rpc('broadcast_changes', { changed: { organizations } })
      if (answer?.offered) tell(answer.waiting)
      else earliest = monotonicNow() + NOT_OFFERED_MS
    } catch (error) {
      earliest = monotonicNow() + FAILED_MS
      onError(error)
    }
  }
  return {
    tell,
    stop: async () => {
      isStopped = true
      clearTimeout(timer)
      await sending
    },
  }
}
