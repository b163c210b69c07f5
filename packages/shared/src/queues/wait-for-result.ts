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
  events: QueueEvents | undefined
}

/**
 * Keeps one event reader per shard. BullMQ's own `job.waitUntilFinished` adds listeners per job, looks once, and lets
 * a rejection escape when Redis goes away in between.
 */
export function createResultWaiter(name: QueueName, options: ResultWaiterOptions): ResultWaiter {
  const stop = new AbortController()
  const report = dampen(options.onError)
  const shards = queueAddresses(name, options.shards).map((address) => {
    const shard = openShard(address, options.connection)
    listen(shard, address, options.connection, stop.signal, report).catch(report)
    return shard
  })

  return {
    waitForResult: async (jobId, shardIndex, ttlMs) => {
      const shard = shards[shardIndex]
      if (shard === undefined) throw new RangeError(`${name} has no shard ${shardIndex}`)
      return waitOn(shard, jobId, ttlMs, options.pollMs ?? 250, stop.signal)
    },
    close: async () => {
      stop.abort()
      const closing = shards.flatMap(({ queue, events }) => [queue.close(), events?.close()])
      await withTimeout(Promise.allSettled(closing), 1_000, 'closing event readers').catch(() => undefined)
    },
  }
}

function openShard({ queue: name, prefix }: QueueAddress, connection: Redis): Shard {
  const queue = new Queue(name, { connection, prefix, skipMetasUpdate: true })
  queue.on('error', () => undefined)
  return { queue, waiting: new Map(), events: undefined }
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
    shard.events = events
    events.on('error', report)
    events.on('completed', ({ jobId, returnvalue }) => {
      settle(shard, jobId, { status: 'completed', result: returnvalue })
    })
    events.on('failed', ({ jobId, failedReason }) => settle(shard, jobId, { status: 'failed', reason: failedReason }))
    await events.run().catch(report)
    await delay(500, undefined, { signal: stop, ref: false }).catch(() => undefined)
  }
}

function settle(shard: Shard, jobId: string, outcome: JobOutcome): void {
  for (const resolve of shard.waiting.get(jobId) ?? []) resolve(outcome)
}

async function waitOn(
  shard: Shard,
  jobId: string,
  ttlMs: number,
  pollMs: number,
  stop: AbortSignal,
): Promise<JobOutcome> {
  const { promise, resolve } = Promise.withResolvers<JobOutcome>()
  const resolvers = shard.waiting.get(jobId) ?? new Set()
  shard.waiting.set(jobId, resolvers.add(resolve))
  const giveUp = () => resolve({ status: 'timeout' })
  const timer = setTimeout(giveUp, ttlMs)
  const poll = setInterval(
    () => void lookUp(shard.queue, jobId, pollMs).then((found) => found && resolve(found)),
    pollMs,
  )
  stop.addEventListener('abort', giveUp)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
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
