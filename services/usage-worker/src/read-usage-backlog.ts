import type { Backlog } from '@tollgate/shared/queues'
import type { Rpc } from '@tollgate/shared/store'

/** What has been accepted and is not yet recorded. A place that does not answer is left out. */
export interface UsageBacklog {
  readonly queue: Backlog | undefined
  readonly inbox: { readonly events: number; readonly oldestMs: number } | undefined
  /** Age of the oldest unrecorded event, in Redis and inbox together, in ms. */
  readonly oldestMs: number
}

/** Reads both places; several readers within a second share one answer. @throws when neither answers */
export type ReadUsageBacklog = () => Promise<UsageBacklog>

const SHARED_MS = 1_000

/** Makes the reader. */
export function createBacklogReader(
  readQueue: () => Promise<Backlog>,
  rpc: Rpc,
  now: () => number = Date.now,
): ReadUsageBacklog {
  let latest: { readonly at: number; readonly backlog: Promise<UsageBacklog> } | undefined
  return () => {
    const ageMs = now() - (latest?.at ?? Number.NEGATIVE_INFINITY)
    // Below zero: the clock was set back, and what was read would stand until it is where it was.
    if (latest === undefined || ageMs < 0 || ageMs >= SHARED_MS) latest = { at: now(), backlog: read(readQueue, rpc) }
    return latest.backlog
  }
}

async function read(readQueue: () => Promise<Backlog>, rpc: Rpc): Promise<UsageBacklog> {
  const [queue, inbox] = await Promise.allSettled([readQueue(), readInbox(rpc)])
  if (queue.status === 'rejected' && inbox.status === 'rejected') throw queue.reason
  const found = {
    queue: queue.status === 'fulfilled' ? queue.value : undefined,
    inbox: inbox.status === 'fulfilled' ? inbox.value : undefined,
  }
  return { ...found, oldestMs: Math.max(found.queue?.oldestMs ?? 0, found.inbox?.oldestMs ?? 0) }
}

async function readInbox(rpc: Rpc) {
  const [row] = await rpc('inbox_backlog', {})
  return { events: row?.events ?? 0, oldestMs: (row?.oldest_seconds ?? 0) * 1_000 }
}
