import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import {
  type JobInput,
  type QueueAddress,
  type QueueDefinition,
  type QueueName,
  queueAddresses,
  queueCatalog,
} from './catalog.ts'
import { QueueError } from './queue-error.ts'
import { TextQueue, WrittenJson } from './text-jobs.ts'
import { withTimeout } from './with-timeout.ts'

/** What a producer stands on. */
export interface ProducerOptions {
  /** From `createProducerConnection`; stays the caller's to close. */
  readonly connection: Redis
  readonly shards: number
  /** How long an `add` may take in all. Default 1000. */
  readonly timeoutMs?: number
}

/** How a job is added. */
export interface AddOptions {
  /** No colon, no whole number. The same id again is the same job for as long as Redis keeps it, so a repeated add is safe. */
  readonly jobId: string
  /** From `shardOf`; 0 for a queue that is not sharded. */
  readonly shard?: number
  /** One pending job per id. A job that arrives while one is being handled runs after it. */
  readonly deduplication?: { readonly id: string; readonly keepLastIfActive?: boolean }
  /** Whether it is to be handled before all jobs that wait. */
  readonly isUrgent?: boolean
  readonly timeoutMs?: number
}

/** Adds jobs to one queue of the catalog. */
export interface Producer<N extends QueueName> {
  /**
   * Resolves when Redis has stored the job (or had it already).
   * @throws QueueError `unavailable` (not stored), `ambiguous` (repeat with the same id), `invalid`
   */
  add(data: JobInput<N>, options: AddOptions): Promise<void>
  close(): Promise<void>
}

// Each completed event carries the job's result; BullMQ keeps 10,000 of them per queue unless told otherwise.
const MAX_EVENTS_KEPT = 1_000
const STACK_LINES_KEPT = 5

interface Slot {
  readonly queue: Queue
  readonly started: Promise<unknown>
}

/** Makes a producer; opens nothing until the first `add`. */
export function createProducer<N extends QueueName>(name: N, options: ProducerOptions): Producer<N> {
  const definition: QueueDefinition = queueCatalog[name]
  const addresses = queueAddresses(name, options.shards)
  const slots = new Map<number, Slot>()
  let isClosed = false

  async function add(data: JobInput<N>, addOptions: AddOptions): Promise<void> {
    requireJobId(addOptions)
    const payload = toPayload(name, definition, data)
    const address = addresses[addOptions.shard ?? 0]
    if (address === undefined) throw new QueueError('invalid', `${name} has no shard ${addOptions.shard}`)
    if (isClosed) throw new QueueError('unavailable', `the producer of ${name} is closed`)
    const timeoutMs = addOptions.timeoutMs ?? options.timeoutMs ?? 1_000
    const deadline = performance.now() + timeoutMs
    const queue = await openQueue(slots, address, options.connection, timeoutMs)
    await store(queue, definition, payload, addOptions, Math.max(1, deadline - performance.now()))
  }

  async function close(): Promise<void> {
    isClosed = true
    const open = [...slots.values()]
    slots.clear()
    // The connection is shared, so this only takes BullMQ's listeners off it.
    await Promise.allSettled(open.map((slot) => slot.queue.close()))
  }

  return { add, close }
}

function requireJobId({ jobId }: AddOptions): void {
  if (!isJobId(jobId)) throw new QueueError('invalid', 'a job id has no colon and is not a whole number')
}

/** What has been checked and written is taken as it is: parsing it would cost the API as much as all the rest of admitting it. */
function toPayload(name: QueueName, definition: QueueDefinition, data: unknown): unknown {
  const { text } = definition
  if (text === undefined) return parse(name, definition, data)
  const written = text.write(data) ?? text.write(parse(name, definition, data))
  if (written === undefined) throw new QueueError('invalid', `what the schema of ${name} gives cannot be written`)
  return new WrittenJson(written)
}

function parse(name: QueueName, definition: QueueDefinition, data: unknown): unknown {
  const parsed = definition.schema.safeParse(data)
  if (parsed.success) return parsed.data
  throw new QueueError('invalid', `job does not fit the schema of ${name}`, parsed.error)
}

// BullMQ numbers jobs without an id and keeps whole numbers for itself; colons separate the parts of its keys.
function isJobId(jobId: string): boolean {
  return jobId !== '' && !jobId.includes(':') && !/^-?\d+$/.test(jobId)
}

/**
 * The started queue of a shard. BullMQ starts a queue once and for all: when Redis is away it waits for ever, and
 * after a start that was rejected every later add() is rejected too. So a queue is made only on a connection that is
 * ready, and thrown away when its start fails.
 */
async function openQueue(
  slots: Map<number, Slot>,
  address: QueueAddress,
  connection: Redis,
  timeoutMs: number,
): Promise<Queue> {
  if (connection.status !== 'ready') throw new QueueError('unavailable', `Redis is away (${connection.status})`)
  const slot = slots.get(address.shard) ?? createSlot(address, connection)
  slots.set(address.shard, slot)
  try {
    await withTimeout(slot.started, timeoutMs, `starting ${address.queue}`)
    return slot.queue
  } catch (error) {
    // A later add may have put a new slot in its place already.
    if (slots.get(address.shard) === slot) slots.delete(address.shard)
    slot.queue.close().catch(() => undefined)
    throw new QueueError('unavailable', `Redis is away (queue ${address.queue} did not start)`, error)
  }
}

function createSlot({ queue: name, prefix }: QueueAddress, connection: Redis): Slot {
  const queue = new TextQueue(name, { connection, prefix, streams: { events: { maxLen: MAX_EVENTS_KEPT } } })
  // The connection has a listener of its own and add() reports its fault; without one here the process would end.
  queue.on('error', () => undefined)
  return { queue, started: queue.waitUntilReady() }
}

async function store(
  queue: Queue,
  definition: QueueDefinition,
  payload: unknown,
  { jobId, deduplication, isUrgent = false }: AddOptions,
  timeoutMs: number,
): Promise<void> {
  const adding = queue.add(queue.name, payload, {
    jobId,
    ...(deduplication === undefined ? {} : { deduplication: { ...deduplication } }),
    ...(isUrgent ? { lifo: true } : {}),
    attempts: definition.attempts,
    backoff: { type: 'capped' },
    removeOnComplete: { ...definition.retention.completed },
    removeOnFail: { ...definition.retention.failed },
    stackTraceLimit: STACK_LINES_KEPT,
  })
  try {
    await withTimeout(adding, timeoutMs, `adding to ${queue.name}`)
  } catch (error) {
    throw new QueueError('ambiguous', `no answer from Redis: job ${jobId} may be stored in ${queue.name}`, error)
  }
}
