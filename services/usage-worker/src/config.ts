import { duration, positiveInteger, serviceEnv } from '@tollgate/shared/config'
import { z } from 'zod'

const DAY_SECONDS = 86_400

/** A time span of at least so many days, in days. */
const days = (least: number) =>
  duration()
    .refine((seconds) => seconds >= least * DAY_SECONDS, { error: `must be at least ${least}d` })
    .transform((seconds) => Math.ceil(seconds / DAY_SECONDS))

/** Environment of the usage worker. */
export const usageWorkerEnv = serviceEnv({
  /**
   * Most events of queued jobs that one transaction records, where a backlog makes it that large; a job that alone has more
   * is recorded alone. The inbox is drained ten rows at a time, up to 1,000 events each, whatever this says.
   */
  BATCH_MAX_EVENTS: positiveInteger().prefault('5000'),
  /** Longest time that a job waits for company in its transaction, in ms. */
  BATCH_MAX_DELAY_MS: positiveInteger().prefault('100'),
  /** Transactions under way at a time, each with a Postgres connection; those with urgent events have two more. */
  BATCHES_IN_FLIGHT: positiveInteger().prefault('2'),
  /** Postgres connections of all usage workers together, however many run. */
  MAX_WORKER_CONNECTIONS: positiveInteger().prefault('32'),
  /** How often the inbox in Postgres is looked into, in ms. */
  INBOX_POLL_MS: positiveInteger().prefault('500'),
  // One word: it becomes the first part of a Redis key.
  REDIS_NAMESPACE: z
    .string()
    .regex(/^[\w-]{1,64}$/, { error: 'must be letters, digits, - and _' })
    .default('tollgate'),
  /** A chat session without activity for so long is idle. */
  SESSION_IDLE: duration().prefault('30m'),
  /** How long the ledger keeps its entries; after that a month is sealed with its closing figures and dropped. */
  LEDGER_RETENTION: days(130).prefault('1100d'),
  /** How long an event's identity is kept, which is also how long it can be corrected. */
  IDENTITY_RETENTION: days(90).prefault('180d'),
  /** Whether rollups that are not the sum of the ledger are put right, only reported, or not looked for. */
  RECONCILE: z.enum(['repair', 'report', 'off']).default('repair'),
}).refine((env) => env.LEDGER_RETENTION >= env.IDENTITY_RETENTION + 40, {
  path: ['LEDGER_RETENTION'],
  error: 'must be at least IDENTITY_RETENTION and 40 days: a correction needs the entry that it corrects',
})
export type UsageWorkerConfig = z.infer<typeof usageWorkerEnv>
