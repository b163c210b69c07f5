/** Settings of a group commit. */
export interface GroupCommitOptions<Item, Result> {
  /** Weight at which a batch is full (items, unless `weigh` says otherwise). A heavier item goes alone. */
  readonly maxItems: number
  /** Weight at which a batch is full at present, while so much waits; never more than `maxItems`, which is the default. */
  readonly fullAt?: (waitingWeight: number) => number
  /**
   * Least time between the starts of two batches that are not full, and so the longest that an item waits for company.
   * An item that comes after a quiet time goes at once.
   */
  readonly maxDelayMs: number
  /** The same after a batch of this weight, up to `maxDelayMs`, which is the default: where many come, more may gather. */
  readonly delayMs?: (lastWeight: number) => number
  /** Batches under way at a time; while they are, more items gather. */
  readonly maxInFlight: number
  /** Weight of an item, for instance the events in a job. Default 1. */
  readonly weigh?: (item: Item) => number
  /**
   * The lane of an item: no two batches under way have items of the same lane, and a lane that fills a batch has it
   * for itself. None has more than its share of the lanes: with all of them it would leave nothing that may run beside it.
   * For batches that would wait for each other's locks. Default: one lane without this exclusion.
   */
  readonly laneOf?: (item: Item) => number
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
  /** Items are numbered as they come. */
  readonly number: number
  readonly weight: number
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
}

interface Lane<Item, Result> {
  waiting: Entry<Item, Result>[]
  weight: number
  isUnderWay: boolean
}

interface State<Item, Result> {
  readonly lanes: Map<number, Lane<Item, Result>>
  underWay: Set<Promise<void>>
  unsettled: number
  submitted: number
  timer: NodeJS.Timeout | undefined
  /** When the last batch was started, on the monotonic clock. */
  startedAtMs: number
  /** Weight of that batch. */
  startedWeight: number
  /** Set once the oldest item has waited long enough (or all must go): flush as soon as there is room. */
  isDue: boolean
}

interface Batch<Item, Result> {
  readonly entries: Entry<Item, Result>[]
  readonly lanes: Lane<Item, Result>[]
}

/** Makes a group commit; pure but for its timer. */
export function createGroupCommit<Item, Result>(options: GroupCommitOptions<Item, Result>): GroupCommit<Item, Result> {
  const state: State<Item, Result> = {
    lanes: new Map(),
    underWay: new Set(),
    unsettled: 0,
    submitted: 0,
    timer: undefined,
    startedAtMs: Number.NEGATIVE_INFINITY,
    startedWeight: 0,
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
  const waitingWeight = weightOf(state.lanes.values())
  if (waitingWeight + weight > (options.maxWaiting ?? Number.POSITIVE_INFINITY)) {
    return Promise.reject(new BackpressureError(`${waitingWeight} items are waiting already`))
  }
  const lane = openLane(state, options.laneOf?.(item) ?? 0)
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  lane.waiting.push({ item, number: state.submitted++, weight, resolve, reject })
  lane.weight += weight
  state.unsettled++
  pump(state, options)
  return promise
}

function openLane<Item, Result>({ lanes }: State<Item, Result>, number: number): Lane<Item, Result> {
  const lane = lanes.get(number) ?? { waiting: [], weight: 0, isUnderWay: false }
  lanes.set(number, lane)
  return lane
}

function weightOf(lanes: Iterable<{ readonly weight: number }>): number {
  let sum = 0
  for (const { weight } of lanes) sum += weight
  return sum
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
  let free = freeLanes(state)
  while (free.length > 0 && state.underWay.size < options.maxInFlight) {
    const fullAt = fullWeight(state, options)
    if (!state.isDue && weightOf(free) < fullAt) break
    const lanes = free.slice(0, Math.ceil(state.lanes.size / options.maxInFlight))
    start(state, options, takeBatch(lanes, fullAt))
    free = freeLanes(state)
  }
  if (free.length === 0) {
    clearTimeout(state.timer)
    state.timer = undefined
    state.isDue = false
  } else if (!state.isDue && state.timer === undefined) {
    setTimer(state, options)
  }
}

function fullWeight<Item, Result>(
  { lanes }: State<Item, Result>,
  { maxItems, fullAt }: GroupCommitOptions<Item, Result>,
): number {
  return fullAt === undefined ? maxItems : Math.min(maxItems, fullAt(weightOf(lanes.values())))
}

function setTimer<Item, Result>(state: State<Item, Result>, options: GroupCommitOptions<Item, Result>): void {
  const sinceMs = performance.now() - state.startedAtMs
  const delayMs = Math.min(options.maxDelayMs, options.delayMs?.(state.startedWeight) ?? options.maxDelayMs)
  const fire = () => {
    state.timer = undefined
    state.isDue = true
    pump(state, options)
  }
  state.timer = setTimeout(fire, Math.max(0, delayMs - sinceMs))
}

/** Lanes with items that may go, the one that has waited longest first. */
function freeLanes<Item, Result>({ lanes }: State<Item, Result>): Lane<Item, Result>[] {
  const free = [...lanes.values()].filter((lane) => lane.waiting.length > 0 && !lane.isUnderWay)
  return free.sort((one, other) => firstOf(one) - firstOf(other))
}

function firstOf<Item, Result>({ waiting: [first] }: Lane<Item, Result>): number {
  return first?.number ?? Number.POSITIVE_INFINITY
}

function takeBatch<Item, Result>(free: readonly Lane<Item, Result>[], maxWeight: number): Batch<Item, Result> {
  const batch: Batch<Item, Result> = { entries: [], lanes: [] }
  let weight = 0
  for (const lane of free) {
    let count = 0
    for (const entry of lane.waiting) {
      if (weight > 0 && weight + entry.weight > maxWeight) break
      weight += entry.weight
      lane.weight -= entry.weight
      count++
    }
    if (count === 0) break
    batch.entries.push(...lane.waiting.splice(0, count))
    batch.lanes.push(lane)
  }
  return batch
}

function start<Item, Result>(
  state: State<Item, Result>,
  options: GroupCommitOptions<Item, Result>,
  { entries, lanes }: Batch<Item, Result>,
): void {
  const occupy = (isUnderWay: boolean) => {
    for (const lane of lanes) lane.isUnderWay = isUnderWay && options.laneOf !== undefined
  }
  occupy(true)
  state.startedAtMs = performance.now()
  state.startedWeight = weightOf(entries)
  const run = flushBatch(options.flush, entries).finally(() => {
    occupy(false)
    state.underWay.delete(run)
    state.unsettled -= entries.length
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
