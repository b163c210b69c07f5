import type { Queue } from 'bullmq'

/** Jobs of a queue, summed over its shards. */
export interface Backlog {
  /** Not yet under way: waiting, or between two tries. */
  readonly waiting: number
  /** Being handled. */
  readonly active: number
  /** Dead letters. */
  readonly failed: number
  /** Age of the job that has waited longest, in ms; 0 when none waits. */
  readonly oldestWaitingMs: number
}

/** Counts the jobs of some queues; ages are by the clock of the producer that added the job. */
export async function readBacklog(queues: readonly Queue[], now: () => number): Promise<Backlog> {
  const parts = await Promise.all(queues.map((queue) => readOne(queue, now)))
  return {
    waiting: parts.reduce((sum, part) => sum + part.waiting, 0),
    active: parts.reduce((sum, part) => sum + part.active, 0),
    failed: parts.reduce((sum, part) => sum + part.failed, 0),
    oldestWaitingMs: Math.max(0, ...parts.map((part) => part.oldestWaitingMs)),
  }
}

async function readOne(queue: Queue, now: () => number): Promise<Backlog> {
  const counts = await queue.getJobCounts('wait', 'delayed', 'prioritized', 'active', 'failed')
  const waiting = (counts.wait ?? 0) + (counts.delayed ?? 0) + (counts.prioritized ?? 0)
  const oldest = counts.wait ? (await queue.getJobs(['wait'], 0, 0, true))[0] : undefined
  return {
    waiting,
    active: counts.active ?? 0,
    failed: counts.failed ?? 0,
    oldestWaitingMs: oldest === undefined ? 0 : Math.max(0, now() - oldest.timestamp),
  }
}
