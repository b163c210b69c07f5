import {
  type AcceptedEvent,
  joinEvents,
  joinTexts,
  listEvents,
  ProblemError,
  type UsageBatch,
  type UsageEventsText,
  writeEvents,
  writeObjects,
} from '@tollgate/shared/contracts'
import {
  createGroupCommit,
  type GroupCommit,
  type Producer,
  QueueError,
  shardOf,
  sizedJobId,
} from '@tollgate/shared/queues'
import type { IsUrgent } from './judge-urgency.ts'

/** Where some events of a request came to lie on disk. `positions` are their places in what was handed to `admit`. */
export type Receipt =
  | {
      readonly path: 'redis'
      readonly jobId: string
      readonly shard: number
      /** Index of the first of them in the job; the others follow it. */
      readonly offset: number
      readonly positions: readonly number[]
    }
  | { readonly path: 'inbox'; readonly positions: readonly number[] }

/** Takes events in. */
export interface Admission {
  /**
   * Resolves when all events are on disk; they are written at once, and of them nothing else is kept meanwhile. With `waits`
   * they go to Redis unless it is known to be away, since only there somebody tells what became of them.
   * @throws ProblemError `unavailable` when that cannot be said
   */
  admit(events: readonly AcceptedEvent[], how?: { readonly waits: boolean }): Promise<Receipt[]>
  /**
   * Before a request that waited in vain is answered 202: with `acceptOn: 'postgres'` its events are parked too. Both
   * places hold them then, which is harmless: an event counts once. @throws ProblemError `unavailable`
   */
  secure(events: readonly AcceptedEvent[], receipts: readonly Receipt[]): Promise<void>
  /** Resolves when nothing is left under way. */
  drain(): Promise<void>
}

/** What admission stands on. */
export interface AdmissionOptions {
  readonly producer: Pick<Producer<'usage-events'>, 'add'>
  /** Stores events, all of them objects, in the inbox. @throws StoreError */
  readonly park: (batch: UsageBatch) => Promise<void>
  readonly shards: number
  /** Whether an event is to be recorded before those that wait already. */
  readonly isUrgent: IsUrgent
  /** Where events are accepted: in Redis while it is there, or in Postgres always. */
  readonly acceptOn: 'redis' | 'postgres'
  readonly now: () => number
  readonly newId: () => string
  readonly onAccepted: (path: Receipt['path'], events: number) => void
  /** Told when Redis has not taken a batch. */
  readonly onError: (error: unknown) => void
}

const MAX_JOB_EVENTS = 1_000
const MIN_DELAY_MS = 10
// A job costs Redis and the worker the same whatever it holds: where many events come, more of them may gather.
const MAX_DELAY_MS = 25
const DELAY_MS_PER_EVENT = 0.2
const MAX_IN_FLIGHT = 1
const MAX_PARKING = 4
const MAX_WAITING_EVENTS = 20_000
const ADD_TIMEOUT_MS = 800
const SHORT_CIRCUIT_MS = 1_000

// What waits is text: a request's events are some forty objects each, which would be copied from one generation of the heap
// to the next while they wait.
interface Slice {
  readonly written: UsageEventsText
  readonly positions: readonly number[]
}

/** Shared by the shards: until when Redis is taken to be away. */
interface Circuit {
  awayUntilMs: number
}

/**
 * Makes the admission. Concurrent requests are merged per shard for some milliseconds into one job; when Redis does
 * not take it, the events are parked in Postgres. Both may hold them then, which is harmless: an event counts once.
 */
export function createAdmission(options: AdmissionOptions): Admission {
  const circuit: Circuit = { awayUntilMs: Number.NEGATIVE_INFINITY }
  const openLanes = (isUrgent: boolean) =>
    Array.from({ length: options.shards }, (_, shard) =>
      createGroupCommit<Slice, Receipt>({
        maxItems: MAX_JOB_EVENTS,
        maxDelayMs: MAX_DELAY_MS,
        delayMs: (lastEvents) => Math.max(MIN_DELAY_MS, lastEvents * DELAY_MS_PER_EVENT),
        maxInFlight: MAX_IN_FLIGHT,
        maxWaiting: MAX_WAITING_EVENTS,
        weigh,
        flush: (slices) => store(slices, { shard, isUrgent }, circuit, options),
      }),
    )
  // A job is of one form.
  const lanes = {
    rows: [...openLanes(false), ...openLanes(true)],
    objects: [...openLanes(false), ...openLanes(true)],
  }
  const parking = createGroupCommit<Slice, Receipt>({
    maxItems: MAX_JOB_EVENTS,
    maxDelayMs: MIN_DELAY_MS,
    maxInFlight: MAX_PARKING,
    // As many as all shards together: while Redis is away all of it comes here.
    maxWaiting: options.shards * MAX_WAITING_EVENTS,
    weigh,
    flush: (slices) => parkSlices(slices, options),
  })
  return {
    admit: async (events, how) => {
      // While Redis is known to be away the lanes would park slice by slice.
      if ((options.acceptOn === 'postgres' && how?.waits !== true) || options.now() < circuit.awayUntilMs) {
        // As below, so that nothing is awaited here, where the events would be kept meanwhile.
        return Promise.all([submit(parking, toParked(events))])
      }
      return Promise.all(
        sliceByLane(events, options).map(([lane, slice]) => submit(lanes[slice.written.form][lane], slice)),
      )
    },
    secure: async (events, receipts) => {
      const inRedis = receipts.flatMap((receipt) => (receipt.path === 'redis' ? receipt.positions : []))
      if (options.acceptOn === 'redis' || inRedis.length === 0) return
      const positions = new Set(inRedis)
      await submit(parking, toParked(events.filter((_, position) => positions.has(position))))
    },
    drain: async () => {
      await Promise.all([...lanes.rows, ...lanes.objects, parking].map((commit) => commit.drain()))
    },
  }
}

const weigh = ({ written }: Slice): number => written.count

/** The inbox holds objects: what goes there at once is written as such. */
const toParked = (events: readonly AcceptedEvent[]): Slice => ({
  written: writeObjects(events),
  positions: events.map((_, position) => position),
})

async function parkSlices(slices: readonly Slice[], options: AdmissionOptions): Promise<Receipt[]> {
  const objects = slices.map(({ written }) =>
    written.form === 'objects' ? written : writeObjects(listEvents(written)),
  )
  await park(joinEvents(objects), options)
  return slices.map(({ positions }) => ({ path: 'inbox', positions }))
}

/** Lanes are numbered as shards are; those of what is urgent follow. */
function sliceByLane(
  events: readonly AcceptedEvent[],
  { shards, isUrgent }: Pick<AdmissionOptions, 'shards' | 'isUrgent'>,
): [lane: number, slice: Slice][] {
  const slices = new Map<number, { events: AcceptedEvent[]; positions: number[] }>()
  for (const [position, event] of events.entries()) {
    const lane = shardOf(event.organization_id, shards) + (isUrgent(event) ? shards : 0)
    const slice = slices.get(lane) ?? { events: [], positions: [] }
    slice.events.push(event)
    slice.positions.push(position)
    slices.set(lane, slice)
  }
  return [...slices].map(([lane, { events, positions }]) => [lane, { written: writeEvents(events), positions }])
}

async function submit(commit: GroupCommit<Slice, Receipt> | undefined, slice: Slice): Promise<Receipt> {
  if (commit === undefined) throw new RangeError('an event fell on a shard that does not exist')
  try {
    return await commit.submit(slice)
  } catch (error) {
    if (error instanceof ProblemError) throw error
    throw unavailable(error)
  }
}

/** Where a job goes. */
interface Place {
  readonly shard: number
  readonly isUrgent: boolean
}

async function store(
  slices: readonly Slice[],
  place: Place,
  circuit: Circuit,
  options: AdmissionOptions,
): Promise<Receipt[]> {
  const jobId = await enqueue(joinTexts(slices.map(({ written }) => written)), place, circuit, options)
  if (jobId === undefined) return parkSlices(slices, options)
  let next = 0
  return slices.map(({ positions }) => {
    const offset = next
    next += positions.length
    return { path: 'redis', jobId, shard: place.shard, offset, positions }
  })
}

/** The id of the stored job; undefined when Redis did not take it, or has just been found to be away. */
async function enqueue(
  events: UsageEventsText,
  { shard, isUrgent }: Place,
  circuit: Circuit,
  { producer, now, newId, onAccepted, onError }: AdmissionOptions,
): Promise<string | undefined> {
  const startedAtMs = now()
  if (startedAtMs < circuit.awayUntilMs) return undefined
  // While Redis is away one batch a second finds out whether it still is; the others need not wait for that.
  if (circuit.awayUntilMs > 0) circuit.awayUntilMs = startedAtMs + SHORT_CIRCUIT_MS
  const jobId = sizedJobId(newId(), events.count)
  try {
    await producer.add(events, { jobId, shard, isUrgent, timeoutMs: ADD_TIMEOUT_MS })
    circuit.awayUntilMs = Number.NEGATIVE_INFINITY
    onAccepted('redis', events.count)
    return jobId
  } catch (error) {
    // Our own mistake: the inbox would only carry it further.
    if (error instanceof QueueError && error.code === 'invalid') throw error
    circuit.awayUntilMs = now() + SHORT_CIRCUIT_MS
    onError(error)
    return undefined
  }
}

async function park(batch: UsageBatch, { park, onAccepted }: AdmissionOptions): Promise<void> {
  try {
    await park(batch)
    onAccepted('inbox', batch.count)
  } catch (error) {
    throw unavailable(error)
  }
}

function unavailable(cause: unknown): ProblemError {
  return new ProblemError('unavailable', 'Nothing could be stored: neither the queue nor the inbox answers.', {
    cause,
    retryAfterSeconds: 1,
  })
}
