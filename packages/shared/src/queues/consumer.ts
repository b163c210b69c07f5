import { type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import {
  type JobData,
  type QueueAddress,
  type QueueDefinition,
  type QueueName,
  queueAddresses,
  queueCatalog,
} from './catalog.ts'
import { disconnectAll } from './connection.ts'
import { dampen } from './dampen.ts'
import { DeadLetterError } from './queue-error.ts'
import { type Backlog, readBacklog } from './read-backlog.ts'
import { TextWorker } from './text-jobs.ts'
import { withTimeout } from './with-timeout.ts'

/** What a handler knows about its job besides the data. `attempt` counts from 1. */
export interface JobContext {
  readonly jobId: string
  readonly attempt: number
  readonly shard: number
  /** Whether it was added to be handled before the others. */
  readonly isUrgent: boolean
}

/** A job that will not be tried again. `data` is the JSON that stood in Redis, and may be anything. */
export interface DeadLetter {
  readonly queue: string
  readonly jobId: string
  readonly data: string
  readonly reason: string
  readonly attempts: number
}

/** What a consumer stands on. */
export interface ConsumerOptions {
  /** From `createWorkerConnection`; stays the caller's to close (`disconnectAll` after `close`). */
  readonly connection: Redis
  readonly shards: number
  readonly onError: (error: Error) => void
  /** Told when a job has become a dead letter, which Redis keeps as a failed job. */
  readonly onExhausted?: (letter: DeadLetter) => void | Promise<void>
  /** Overrides the catalog. */
  readonly concurrency?: number
  /** Jobs are taken from when this resolves; at once without it. */
  readonly startWhen?: Promise<unknown>
  /** How long a job is locked without renewal: the jobs of a killed worker wait so long. Default 10 s. */
  readonly lockMs?: number
  /** How often jobs of dead workers are looked for. Default 3 s. */
  readonly stalledCheckMs?: number
  /** Default `Date.now`. */
  readonly now?: () => number
}

/** A running consumer. */
export interface Consumer {
  /** When a job was last finished with success (epoch ms); the start of the consumer before the first. */
  lastProgressAt(): number
  /** Jobs that wait to be handled, retries included. */
  waitingCount(): Promise<number>
  /** What stands in the queue, over all shards. */
  backlog(): Promise<Backlog>
  /** Takes no new jobs and waits for those under way; `abandoned` jobs come back to another worker. */
  close(timeoutMs: number): Promise<'drained' | 'abandoned'>
}

/** Handles a job; resolving acknowledges it and stores the result, a `DeadLetterError` ends it, any other throw retries. */
export type JobHandler<N extends QueueName> = (data: JobData<N>, context: JobContext) => Promise<unknown>

// Each death of a worker counts as a stall. BullMQ's default of 1 fails the job at the second, whatever `attempts` says.
const MAX_STALLS = 1_000_000
const BACKLOG_TIMEOUT_MS = 2_000

/** Starts one worker per shard; they wait for Redis when it is away. */
export function createConsumer<N extends QueueName>(
  name: N,
  handler: JobHandler<N>,
  options: ConsumerOptions,
): Consumer {
  const { connection, now = Date.now } = options
  const addresses = queueAddresses(name, options.shards)
  let progressAt = now()
  const onCompleted = () => {
    progressAt = now()
  }
  const workers = addresses.map((address) => startWorker(name, address, handler, options, onCompleted))
  const backlog = async () => {
    // Commands of this connection wait for Redis: asking again and again would pile them up.
    if (connection.status !== 'ready') throw new Error(`Redis is away (${connection.status})`)
    return withTimeout(readBacklog(connection, addresses, now), BACKLOG_TIMEOUT_MS, `reading the backlog of ${name}`)
  }

  return {
    lastProgressAt: () => progressAt,
    backlog,
    waitingCount: async () => (await backlog()).waiting,
    close: async (timeoutMs) => {
      const closing = Promise.allSettled([...workers.map((worker) => worker.close())])
      try {
        await withTimeout(closing, timeoutMs, `closing ${name}`)
        return 'drained'
      } catch {
        disconnectAll(connection)
        return 'abandoned'
      }
    },
  }
}

function startWorker<N extends QueueName>(
  name: N,
  address: QueueAddress,
  handler: JobHandler<N>,
  options: ConsumerOptions,
  onCompleted: () => void,
): Worker {
  const definition: QueueDefinition = queueCatalog[name]
  const Kind = definition.text === undefined ? Worker<unknown, unknown> : TextWorker
  const worker = new Kind(address.queue, (job) => handle<N>(job, definition, handler, address.shard), {
    connection: options.connection,
    prefix: address.prefix,
    autorun: options.startWhen === undefined,
    concurrency: options.concurrency ?? definition.concurrency,
    maxStalledCount: MAX_STALLS,
    lockDuration: options.lockMs ?? 10_000,
    stalledInterval: options.stalledCheckMs ?? 3_000,
    // The default of 15 s is longer than a service may take to recover.
    runRetryDelay: 1_000,
    settings: { backoffStrategy: (attempts) => backoffMs(definition, attempts) },
  })
  const report = dampen(options.onError)
  worker.on('error', report)
  worker.on('completed', onCompleted)
  const run = () => (worker.closing === undefined ? worker.run() : undefined)
  options.startWhen?.then(run).catch((fault: unknown) => report(asError(fault)))
  worker.on('failed', (job, error) => {
    if (job?.finishedOn === undefined) return
    tellExhausted(job, error, options.onExhausted).catch((fault: unknown) => report(asError(fault)))
  })
  return worker
}

async function handle<N extends QueueName>(
  job: Job,
  definition: QueueDefinition,
  handler: JobHandler<N>,
  shard: number,
): Promise<unknown> {
  // The catalog ties name and schema together; the widened QueueDefinition no longer shows it.
  const data = readData(job.data, definition) as JobData<N>
  try {
    return await handler(data, {
      jobId: job.id ?? '',
      attempt: job.attemptsMade + 1,
      shard,
      isUrgent: job.opts.lifo === true,
    })
  } catch (error) {
    if (error instanceof DeadLetterError) throw new UnrecoverableError(error.message)
    throw error
  }
}

function readData(data: unknown, { schema, text }: QueueDefinition): unknown {
  const read = typeof data === 'string' ? text?.read(data) : undefined
  if (read !== undefined) return read
  const parsed = schema.safeParse(text === undefined ? data : parseJson(data))
  if (parsed.success) return parsed.data
  throw new UnrecoverableError(`unreadable job: ${z.prettifyError(parsed.error).slice(0, 1_000)}`)
}

function parseJson(data: unknown): unknown {
  try {
    return JSON.parse(String(data))
  } catch (error) {
    throw new UnrecoverableError(`unreadable job: ${asError(error).message}`)
  }
}

async function tellExhausted(job: Job, error: Error, onExhausted: ConsumerOptions['onExhausted']): Promise<void> {
  await onExhausted?.({
    queue: job.queueName,
    jobId: job.id ?? '',
    data: typeof job.data === 'string' ? job.data : JSON.stringify(job.data),
    reason: error.message,
    attempts: job.attemptsMade,
  })
}

// BullMQ's own exponential backoff has no upper bound.
function backoffMs({ backoff }: QueueDefinition, attempts: number): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempts - 1, 30))
  return Math.ceil(ceilingMs * (0.5 + Math.random() / 2))
}

function asError(fault: unknown): Error {
  return fault instanceof Error ? fault : new Error(String(fault))
}
