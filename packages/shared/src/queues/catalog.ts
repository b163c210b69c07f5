import type { z } from 'zod'
import { quotaEvaluationsJob } from '../contracts/queues.ts'
import { isEventsText, readUsageJob, usageEventsFromJob, writeUsageJob } from '../contracts/usage-job-text.ts'

/** How jobs are written and read without parsing what they carry, where that is most of what they cost. */
export interface JobText {
  /** The JSON of a job, of what the schema gives. Undefined for data that has to pass by the schema first. */
  readonly write: (data: unknown) => string | undefined
  /** What the schema would give. Undefined where it has to be asked. */
  readonly read: (json: string) => unknown
}

/** One row of the catalog: everything that producer and consumer must agree on. */
export interface QueueDefinition {
  readonly schema: z.ZodType
  /** Absent: BullMQ writes and parses the JSON of what the schema gives. */
  readonly text?: JobText
  /** Tries until a job becomes a dead letter; a job of unreadable data becomes one at once. */
  readonly attempts: number
  /** Wait before the next try: doubles from `firstMs`, never above `maxMs`. */
  readonly backoff: { readonly firstMs: number; readonly maxMs: number }
  /** Finished jobs that Redis keeps: completed ones for `Prefer: wait`, failed ones as dead letters. */
  readonly retention: {
    readonly completed: { readonly age: number; readonly count: number }
    readonly failed: { readonly count: number }
  }
  /** Jobs that one worker handles at a time, per shard. */
  readonly concurrency: number
  /** Whether the queue is split by organization over SHARDS queues. */
  readonly sharded: boolean
}

/** All queues. A new queue is a row here and a handler. */
export const queueCatalog = {
  'usage-events': {
    schema: usageEventsFromJob,
    text: { write: (data) => (isEventsText(data) ? writeUsageJob(data) : undefined), read: readUsageJob },
    // A day of Postgres being away must not turn accepted events into dead letters.
    attempts: 20_000,
    backoff: { firstMs: 100, maxMs: 5_000 },
    // A job is up to a thousand events: keep few of them.
    retention: { completed: { age: 30, count: 200 }, failed: { count: 10_000 } },
    // At least the jobs of one SQL batch, since the handler returns when its batch has committed.
    concurrency: 64,
    sharded: true,
  },
  'quota-evaluations': {
    schema: quotaEvaluationsJob,
    attempts: 10,
    // Short: wake-ups of an organization are merged into its waiting retry.
    backoff: { firstMs: 50, maxMs: 2_000 },
    retention: { completed: { age: 60, count: 1_000 }, failed: { count: 10_000 } },
    concurrency: 16,
    sharded: false,
  },
} as const satisfies Record<string, QueueDefinition>

/** The name of a queue in the catalog. */
export type QueueName = keyof typeof queueCatalog
/** What a producer hands in: defaults not yet filled, or, where jobs have a text, what has been checked and written. */
export type JobInput<N extends QueueName> =
  | z.input<(typeof queueCatalog)[N]['schema']>
  | ((typeof queueCatalog)[N] extends { readonly text: JobText } ? JobData<N> : never)
/** What a consumer gets. */
export type JobData<N extends QueueName> = z.output<(typeof queueCatalog)[N]['schema']>

/** The name and key prefix of one shard's queue in Redis. The braces keep its keys on one node of a Redis Cluster. */
export interface QueueAddress {
  readonly queue: string
  readonly prefix: string
  readonly shard: number
}

/** Where a queue's jobs live: `usage-events-2` under `{tollgate-2}`, unsharded queues under `{tollgate}`. */
export function queueAddress(name: QueueName, shard: number): QueueAddress {
  if (!queueCatalog[name].sharded) return { queue: name, prefix: '{tollgate}', shard: 0 }
  return { queue: `${name}-${shard}`, prefix: `{tollgate-${shard}}`, shard }
}

/** All addresses of a queue. */
export function queueAddresses(name: QueueName, shards: number): QueueAddress[] {
  const count = queueCatalog[name].sharded ? shards : 1
  return Array.from({ length: count }, (_, shard) => queueAddress(name, shard))
}
