import { positiveInteger, serviceEnv } from '@tollgate/shared/config'
import type { z } from 'zod'

/** Environment of the usage worker. */
export const usageWorkerEnv = serviceEnv({
  /** Most events that one transaction records. */
  BATCH_MAX_EVENTS: positiveInteger().prefault('1000'),
  /** Longest time that a job waits for company in its transaction, in ms. */
  BATCH_MAX_DELAY_MS: positiveInteger().prefault('5'),
  /** Transactions under way at a time, which is also the number of Postgres connections that record. */
  BATCHES_IN_FLIGHT: positiveInteger().prefault('2'),
  /** How often the inbox in Postgres is looked into, in ms. */
  INBOX_POLL_MS: positiveInteger().prefault('500'),
})
export type UsageWorkerConfig = z.infer<typeof usageWorkerEnv>
