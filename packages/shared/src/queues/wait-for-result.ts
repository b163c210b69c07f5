import { setTimeout as delay } from 'node:timers/promises'
import { Queue, QueueEvents } from 'bullmq'
import type { Redis } from 'ioredis'
import { type QueueAddress, type QueueName, queueAddresses } from './catalog.ts'
import { dampen } from './dampen.ts'
import { withTimeout } from './with-timeout.ts'

/** How a job ended, or that it had not ended in time (it goes on all the same). */
export type JobOutcome =
  | { readonly status: 'completed'; readonly result: unknown }
  | { readonly status: 'failed'; readonly reason: string }
  | { readonly status: 'timeout' }

/** What a result waiter stands on. */
export interface ResultWaiterOptions {
  /** From `createWorkerConnection`; stays the caller's to close. */
  readonly connection: Redis
  readonly shards: number
  readonly onError: (error: Error) => void
  /** How often a job is looked up, for events that were missed. Default 250. */
  readonly pollMs?: number
  /** How long events are read though nobody waits. Default 10 s. */
  readonly idleMs?: number
}

/** Waits for the results of jobs of one queue. */
export interface ResultWaiter {
  /** Never rejects. Call it before the job is added, or right after: it also looks the job up. */
  waitForResult(jobId: string, shard: number, ttlMs: number): Promise<JobOutcome>
  close(): Promise<void>
}

interface Shard {
  readonly queue: Queue
  readonly waiting: Map<string, Set<(outcome: JobOutcome) => void>>
  /** Ends the reader; undefined: nothing is read. */
  reader: AbortController | undefined
  /** Will end the reader. */
  idle: NodeJS.Timeout | undefined
}

// A reader is handed every event of every job, also those that nobody waits for: reading all the time would cost an instance
// a good part of what taking events costs.
const IDLE_MS = 10_000
// Whoever comes first looks by itself meanwhile, more and more seldom: a reader tells of nothing that was before it.
const FIRST_LOOKS_MS = [10, 20, 40, 80, 160]

/**
 * Keeps one event reader per shard while somebody waits. BullMQ's own `job.waitUntilFinished` adds listeners per job, looks
 * once, and lets a rejection escape when Redis goes away in between.
 */
export function createResultWaiter(name: QueueName, options: ResultWaiterOptions): ResultWaiter {
  const stop = new AbortController()
  const report = dampen(options.onError)
  const addresses = queueAddresses(name, options.shards)
  const shards = addresses.map((address) => openShard(address, options.connection))
  /** Has a shard's events read; says whether they were not before. */
  const attend = (shard: Shard, address: QueueAddress): boolean => {
    clearTimeout(shard.idle)
    if (shard.reader !== undefined) return false
    shard.reader = new AbortController()
    const signal = AbortSignal.any([stop.signal, shard.reader.signal])
    listen(shard, address, options.connection, signal, report).catch(report)
    return true
  }

  return {
    waitForResult: async (jobId, shardIndex, ttlMs) => {
      const [shard, address] = [shards[shardIndex], addresses[shardIndex]]
      if (shard === undefined || address === undefined) throw new RangeError(`${name} has no shard ${shardIndex}`)
      const looksMs = attend(shard, address) ? FIRST_LOOKS_MS : []
      try {
        return await waitOn(shard, jobId, { ttlMs, pollMs: options.pollMs ?? 250, looksMs, stop: stop.signal })
      } finally {
        if (shard.waiting.size === 0) leave(shard, options.idleMs ?? IDLE_MS)
      }
    },
    close: async () => {
      stop.abort()
      for (const { idle } of shards) clearTimeout(idle)
      const closing = shards.map(({ queue }) => queue.close())
      await withTimeout(Promise.allSettled(closing), 1_000, 'closing event readers').catch(() => undefined)
    },
  }
}

/** Ends the reader of a shard when nobody has waited for a while. */
function leave(shard: Shard, idleMs: number): void {
  clearTimeout(shard.idle)
  shard.idle = setTimeout(() => {
    shard.reader?.abort()
    shard.reader = undefined
  }, idleMs).unref()
}

function openShard({ queue: name, prefix }: QueueAddress, connection: Redis): Shard {
  const queue = new Queue(name, { connection, prefix, skipMetasUpdate: true })
  queue.on('error', () => undefined)
  return { queue, waiting: new Map(), reader: undefined, idle: undefined }
}

/** Reads events until stopped; a reader whose start failed is of no more use and is replaced. */
async function listen(
  shard: Shard,
  { queue, prefix }: QueueAddress,
  connection: Redis,
  stop: AbortSignal,
  report: (error: Error) => void,
): Promise<void> {
  while (!stop.aborted) {
    const events = new QueueEvents(queue, { connection, prefix, autorun: false })
    const end = () => void events.close().catch(() => undefined)
    stop.addEventListener('abort', end)
    events.on('error', report)
    events.on('completed', ({ jobId, returnvalue }) => {
      settle(shard, jobId, { status: 'completed', result: returnvalue })
    })
    events.on('failed', ({ jobId, failedReason }) => settle(shard, jobId, { status: 'failed', reason: failedReason }))
    await events.run().catch((error: Error) => (stop.aborted ? undefined : report(error)))
    stop.removeEventListener('abort', end)
    await delay(500, undefined, { signal: stop, ref: false }).catch(() => undefined)
  }
}

function settle(shard: Shard, jobId: string, outcome: JobOutcome): void {
  for (const resolve of shard.waiting.get(jobId) ?? []) resolve(outcome)
}

interface Wait {
  readonly ttlMs: number
  readonly pollMs: number
  /** When the job is looked up beside that. */
  readonly looksMs: readonly number[]
  readonly stop: AbortSignal
}

async function waitOn(shard: Shard, jobId: string, { ttlMs, pollMs, looksMs, stop }: Wait): Promise<JobOutcome> {
  const { promise, resolve } = Promise.withResolvers<JobOutcome>()
  const resolvers = shard.waiting.get(jobId) ?? new Set()
  shard.waiting.set(jobId, resolvers.add(resolve))
  const giveUp = () => resolve({ status: 'timeout' })
  const timer = setTimeout(giveUp, ttlMs)
  const look = () => void lookUp(shard.queue, jobId, pollMs).then((found) => found && resolve(found))
  const poll = setInterval(look, pollMs)
  const looks = looksMs.map((ms) => setTimeout(look, ms))
  stop.addEventListener('abort', giveUp)
  try {
    return await promise
  } finally {
    for (const timeout of [timer, ...looks]) clearTimeout(timeout)
    clearInterval(poll)
    stop.removeEventListener('abort', giveUp)
    resolvers.delete(resolve)
    if (resolvers.size === 0) shard.waiting.delete(jobId)
  }
}

/** The outcome of a job that has ended and is still kept; undefined otherwise, also when Redis does not answer. */
async function lookUp(queue: Queue, jobId: string, timeoutMs: number): Promise<JobOutcome | undefined> {
  try {
    const job = await withTimeout(queue.getJob(jobId), timeoutMs, `reading job ${jobId}`)
    if (job?.finishedOn === undefined) return undefined
    if (job.failedReason) return { status: 'failed', reason: job.failedReason }
    return { status: 'completed', result: job.returnvalue }
  } catch {
    return undefined
  }
}
