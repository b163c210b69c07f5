import { type AcceptedEvent, acceptedEvent, writeEvents } from '@tollgate/shared/contracts'
import { type Producer, shardOf } from '@tollgate/shared/queues'
import type { RpcRow } from '@tollgate/shared/store'

type OutboxRow = RpcRow<'take_session_events'>

/** What the relay stands on. */
export interface RelayOptions {
  /** @throws StoreError */
  readonly take: (maxRows: number, leaseMs: number) => Promise<OutboxRow[]>
  /** @throws StoreError */
  readonly forget: (ids: string[]) => Promise<void>
  /** Sets aside what cannot be read. @throws StoreError */
  readonly bury: (ids: string[], detail: string) => Promise<void>
  readonly producer: Pick<Producer<'usage-events'>, 'add'>
  readonly shards: number
  readonly now: () => number
  readonly stopping: AbortSignal
  /** Told about each event that reached the queue: how long it stood in the outbox. */
  readonly onRelayed: (seconds: number) => void
  readonly onBuried: (events: number) => void
  readonly onError: (error: unknown) => void
}

/** A running relay. */
export interface Relay {
  /** Looks into the outbox soon; without it within a second. */
  poke(): void
  /** Resolves when the relay has stopped. */
  readonly done: Promise<void>
}

const MAX_ROWS = 500
const LEASE_MS = 5_000
const IDLE_MS = 1_000
const GATHER_MS = 20

/**
 * Carries login-session events from the outbox to the queue. An event leaves the outbox only when the queue has it; it
 * may come twice, which changes nothing.
 */
export function startRelay(options: RelayOptions): Relay {
  const { stopping, onError } = options
  let isPoked = false
  let wake: (() => void) | undefined
  const sleep = (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    wake = resolve
    return promise.finally(() => clearTimeout(timer))
  }
  const run = async (): Promise<void> => {
    while (!stopping.aborted) {
      isPoked = false
      const isFull = await relayOnce(options).catch((error: unknown) => onError(error))
      if (isFull || stopping.aborted) continue
      if (!isPoked) await sleep(IDLE_MS)
      if (!stopping.aborted) await sleep(GATHER_MS)
    }
  }
  stopping.addEventListener('abort', () => wake?.(), { once: true })
  const poke = (): void => {
    if (!isPoked) wake?.()
    isPoked = true
  }
  return { poke, done: run() }
}

interface Taken {
  readonly id: string
  readonly created_at: string
  readonly event: AcceptedEvent
}

/** Relays one batch; says whether there may be more. */
async function relayOnce(options: RelayOptions): Promise<boolean> {
  const { take, forget, producer, shards, now, onRelayed } = options
  const rows = await take(MAX_ROWS, LEASE_MS)
  if (rows.length === 0) return false
  const byShard = Map.groupBy(await readRows(rows, options), ({ event }) => shardOf(event.organization_id, shards))
  for (const [shard, part] of byShard) {
    const ids = part.map(({ id }) => id)
    // The same rows taken again are the same job, for as long as Redis keeps it.
    const jobId = `logins-${ids[0]}-${ids.at(-1)}-${ids.length}`
    await producer.add(writeEvents(part.map(({ event }) => event)), { jobId, shard })
    await forget(ids)
    for (const { created_at } of part) onRelayed((now() - Date.parse(created_at)) / 1_000)
  }
  return rows.length === MAX_ROWS
}

/** The rows that can be read; the others are set aside, or one of them would hold up all that follow. */
async function readRows(rows: readonly OutboxRow[], { bury, onBuried }: RelayOptions): Promise<Taken[]> {
  const read: Taken[] = []
  for (const { id, created_at, event } of rows) {
    const parsed = acceptedEvent.safeParse(event)
    if (parsed.success) {
      read.push({ id, created_at, event: parsed.data })
      continue
    }
    await bury([id], parsed.error.message)
    onBuried(1)
  }
  return read
}
