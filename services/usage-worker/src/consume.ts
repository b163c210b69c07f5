import { type EventOutcome, packOutcomes, type UsageEventsText } from '@tollgate/shared/contracts'
import { type Consumer, type ConsumerOptions, createConsumer, createGroupCommit } from '@tollgate/shared/queues'
import { paceTransactions } from './pace-transactions.ts'

/** How jobs are gathered into transactions. */
export interface BatchLimits {
  readonly maxEvents: number
  readonly maxDelayMs: number
  readonly inFlight: number
}

interface ShardJob {
  readonly job: UsageEventsText
  readonly shard: number
}

/** Transactions with urgent events under way at a time: one that waits for a lock must not hold up all shards. */
export const URGENT_IN_FLIGHT = 2
const URGENT_DELAY_MS = 10

/**
 * Consumes the `usage-events-{n}` queues: urgent jobs in transactions of their own, beside the others. Each job waits in the
 * handler until the transaction that holds it has committed, so that BullMQ renews its lock meanwhile and acknowledges it
 * after the commit, never before.
 */
export function consumeUsageEvents(
  commit: (jobs: UsageEventsText[]) => Promise<EventOutcome[][]>,
  limits: BatchLimits,
  options: ConsumerOptions,
): Consumer {
  const pace = paceTransactions(limits.maxEvents)
  const flush = async (jobs: UsageEventsText[]) => {
    const beganMs = performance.now()
    const outcomes = await commit(jobs)
    pace.note(
      jobs.reduce((sum, { count }) => sum + count, 0),
      performance.now() - beganMs,
    )
    return outcomes
  }
  const batches = createGroupCommit<ShardJob, EventOutcome[]>({
    maxItems: limits.maxEvents,
    fullAt: pace.fullAt,
    maxDelayMs: limits.maxDelayMs,
    maxInFlight: limits.inFlight,
    weigh: ({ job }) => job.count,
    // Organizations of one shard share rows: two transactions with them would wait for each other.
    laneOf: ({ shard }) => shard,
    flush: (items) => flush(items.map(({ job }) => job)),
  })
  // They are few and small, and wait for whoever holds the very rows that they change, or for what is urgent in their shard.
  const urgent = createGroupCommit<ShardJob, EventOutcome[]>({
    maxItems: limits.maxEvents,
    maxDelayMs: URGENT_DELAY_MS,
    maxInFlight: URGENT_IN_FLIGHT,
    weigh: ({ job }) => job.count,
    laneOf: ({ shard }) => shard,
    flush: (items) => commit(items.map(({ job }) => job)),
  })
  return createConsumer(
    'usage-events',
    async (job, { shard, isUrgent }) => packOutcomes(await (isUrgent ? urgent : batches).submit({ job, shard })),
    options,
  )
}
