import { ProblemError } from '@tollgate/shared/contracts'
import { createGroupCommit, shardOf } from '@tollgate/shared/queues'
import { isRetryableStoreError, StoreError, withRetry } from '@tollgate/shared/store'

/** Merges concurrent requests into few SQL calls. */
export interface Grouped<Item, Row> {
  /** The row of this item. @throws StoreError, BackpressureError */
  submit(item: Item): Promise<Row>
  /** Resolves when nothing is left under way. */
  drain(): Promise<void>
}

/** What grouping stands on. */
export interface GroupOptions<Item, Row> {
  /** What must not be under way twice at a time: the organization, whose holds have one lock. */
  readonly keyOf: (item: Item) => string
  /** Stores a group; gives a row an item, each with its place, in any order. */
  readonly call: (items: Item[]) => Promise<Row[]>
}

const LANES = 2
const MAX_GROUP = 250
// A call for many organizations costs Postgres some 2 ms whatever it holds, and each hold 0.04 ms: where many come, more share
// a call. A lane that takes one now and then lets nobody wait for it.
const MIN_DELAY_MS = 2
const MAX_DELAY_MS = 10
const DELAY_MS_PER_ITEM = 0.2
const MAX_WAITING = 5_000
// Repeating is safe, since ids are kept; a lost connection is the client's to judge, who waits no longer than a second.
const RETRY = {
  attempts: 4,
  baseMs: 5,
  maxMs: 50,
  isRetryable: (error: unknown) =>
    isRetryableStoreError(error) && error instanceof StoreError && error.code === 'conflict',
}

/** Makes the group commit: one call at a time in each of two lanes, an organization always in the same one. */
export function groupByOrganization<Item, Row extends { readonly i: number }>(
  options: GroupOptions<Item, Row>,
): Grouped<Item, Row> {
  const flush = async (items: Item[]): Promise<Row[]> => {
    const rows = new Map((await withRetry(() => options.call(items), RETRY)).map((row) => [row.i, row]))
    return items.map((_, place) => {
      const row = rows.get(place)
      if (row === undefined) throw new RangeError(`no row of item ${place}`)
      return row
    })
  }
  const lanes = Array.from({ length: LANES }, () =>
    createGroupCommit<Item, Row>({
      maxItems: MAX_GROUP,
      maxDelayMs: MAX_DELAY_MS,
      delayMs: (lastItems) => Math.max(MIN_DELAY_MS, lastItems * DELAY_MS_PER_ITEM),
      maxInFlight: 1,
      maxWaiting: MAX_WAITING,
      flush,
    }),
  )
  return {
    submit: async (item) => {
      const lane = lanes[shardOf(options.keyOf(item), LANES)]
      if (lane === undefined) throw new ProblemError('internal', 'A lane is missing.')
      return lane.submit(item)
    },
    drain: async () => {
      await Promise.all(lanes.map((lane) => lane.drain()))
    },
  }
}
