/** Settings of a group commit. */
export interface GroupCommitOptions<Item, Result> {
  /** Weight at which a batch is full (items, unless `weigh` says otherwise). A heavier item goes alone. */
  readonly maxItems: number
  /**
   * Least time between the starts of two batches that are not full, and so the longest that an item waits for company.
   * An item that comes after a quiet time goes at once.
   */
  readonly maxDelayMs: number
  /** Batches under way at a time; while they are, more items gather. */
  readonly maxInFlight: number
  /** Weight of an item, for instance the events in a job. Default 1. */
  readonly weigh?: (item: Item) => number
  /** Weight of waiting items above which `submit` is refused with a `BackpressureError`. Default: no bound. */
  readonly maxWaiting?: number
  /** Stores a batch; must give one result per item, in order. When it rejects, every item of the batch is rejected. */
  readonly flush: (items: Item[]) => Promise<Result[]>
}

/** Merges concurrent submissions into few flushes. */
export interface GroupCommit<Item, Result> {
  /** Resolves with the item's own result once its batch has been flushed. */
  submit(item: Item): Promise<Result>
  /** Flushes what waits and resolves when nothing is left under way; never rejects. */
  drain(): Promise<void>
  /** Items that are not settled yet. */
  readonly size: number
}

/** Thrown by `submit` when too much is waiting already. */
export class BackpressureError extends Error {
  override readonly name = 'BackpressureError'
}

interface Entry<Item, Result> {
  readonly item: Item
  readonly weight: number
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
}

interface State<Item, Result> {
  waiting: Entry<Item, Result>[]
  waitingWeight: number
  underWay: Set<Promise<void>>
  unsettled: number
  timer: NodeJS.Timeout | undefined
  /** When the last batch was started, on the monotonic clock. */
  startedAtMs: number
  /** Set once the oldest item has waited long enough (or all must go): flush as soon as there is room. */
  isDue: boolean
}

/** Makes a group commit; pure but for its timer. */
export function createGroupCommit<Item, Result>(options: GroupCommitOptions<Item, Result>): GroupCommit<Item, Result> {
  const state: State<Item, Result> = {
    waiting: [],
    waitingWeight: 0,
    underWay: new Set(),
    unsettled: 0,
    timer: undefined,
    startedAtMs: Number.NEGATIVE_INFINITY,
    isDue: false,
  }
  return {
    submit: (item) => submit(state, options, item),
    drain: () => drain(state, options),
    get size() {
      return state.unsettled
    },
  }
}

function submit<Item, Result>(
  state: State<Item, Result>,
  options: GroupCommitOptions<Item, Result>,
  item: Item,
): Promise<Result> {
  const weight = options.weigh?.(item) ?? 1
  if (state.waitingWeight + weight > (options.maxWaiting ?? Number.POSITIVE_INFINITY)) {
    return Promise.reject(new BackpressureError(`${state.waitingWeight} items are waiting already`))
  }
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  state.waiting.push({ item, weight, resolve, reject })
  state.waitingWeight += weight
  state.unsettled++
  pump(state, options)
  return promise
}

async function drain<Item, Result>(
  state: State<Item, Result>,
  options: GroupCommitOptions<Item, Result>,
): Promise<void> {
  while (state.unsettled > 0) {
    state.isDue = true
    pump(state, options)
    await Promise.race(state.underWay)
  }
}

/** Starts the batches that are full or due, as far as there is room, and sets the timer for the rest. */
function pump<Item, Result>(state: State<Item, Result>, options: GroupCommitOptions<Item, Result>): void {
  while (state.waiting.length > 0 && state.underWay.size < options.maxInFlight) {
    if (!state.isDue && state.waitingWeight < options.maxItems) break
    start(state, options, takeBatch(state, options.maxItems))
  }
  if (state.waiting.length === 0) {
    clearTimeout(state.timer)
    state.timer = undefined
    state.isDue = false
  } else if (!state.isDue && state.timer === undefined) {
    const sinceMs = performance.now() - state.startedAtMs
    state.timer = setTimeout(() => {
      state.timer = undefined
      state.isDue = true
      pump(state, options)
    }, Math.max(0, options.maxDelayMs - sinceMs))
  }
}

function takeBatch<Item, Result>(state: State<Item, Result>, maxWeight: number): Entry<Item, Result>[] {
  let weight = 0
  let count = 0
  for (const entry of state.waiting) {
    if (count > 0 && weight + entry.weight > maxWeight) break
    weight += entry.weight
    count++
  }
  state.waitingWeight -= weight
  return state.waiting.splice(0, count)
}

function start<Item, Result>(
  state: State<Item, Result>,
  options: GroupCommitOptions<Item, Result>,
  batch: Entry<Item, Result>[],
): void {
  state.startedAtMs = performance.now()
  const run = flushBatch(options.flush, batch).finally(() => {
    state.underWay.delete(run)
    state.unsettled -= batch.length
    pump(state, options)
  })
  state.underWay.add(run)
}

async function flushBatch<Item, Result>(
  flush: (items: Item[]) => Promise<Result[]>,
  batch: Entry<Item, Result>[],
): Promise<void> {
  try {
    const results = await flush(batch.map((entry) => entry.item))
    if (results.length !== batch.length) {
      throw new RangeError(`flush gave ${results.length} results for ${batch.length} items`)
    }
    for (const [index, result] of results.entries()) batch[index]?.resolve(result)
  } catch (error) {
    for (const entry of batch) entry.reject(error)
  }
}
