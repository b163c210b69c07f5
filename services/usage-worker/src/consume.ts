import { type EventOutcome, packOutcomes, type UsageEventsText } from '@tollgate/shared/contracts'
import { type Consumer, type ConsumerOptions, createConsumer, createGroupCommit } from '@tollgate/shared/queues'
import { paceTransactions } from './pace-transactions.ts'

/** How jobs are gathered into transactions. */
export interface BatchLimits {
  readonly maxEvents: number
  readonly maxDelayMs: number
  readonly inFlight: number
}

const URGENT_DELAY_MS = 10

/**
 * Consumes the `usage-events-{n}` queues: urgent jobs in transactions of their own, beside the others. Each job waits in the handler until the transaction that holds it has
 * committed, so that BullMQ renews its lock meanwhile and acknowledges it after the commit, never before.
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
  const batches = createGroupCommit<{ readonly job: UsageEventsText; readonly shard: number }, EventOutcome[]>({
    maxItems: limits.maxEvents,
    fullAt: pace.fullAt,
    maxDelayMs: limits.maxDelayMs,
    maxInFlight: limits.inFlight,
    weigh: ({ job }) => job.count,
    // Organizations of one shard share rows: two transactions with them would wait for each other.
    laneOf: ({ shard }) => shard,
    flush: (items) => flush(items.map(({ job }) => job)),
  })
  // They are few and small, and wait for nobody but whoever holds the very rows that they change.
  const urgent = createGroupCommit<UsageEventsText, EventOutcome[]>({
    maxItems: limits.maxEvents,
    maxDelayMs: URGENT_DELAY_MS,
    maxInFlight: 1,
    weigh: ({ count }) => count,
    flush: commit,
  })
  return createConsumer(
    'usage-events',
    async (job, { shard, isUrgent }) =>
      packOutcomes(await (isUrgent ? urgent.submit(job) : batches.submit({ job, shard }))),
    options,
  )
}
