import type { Redis } from 'ioredis'
import { LRUCache } from 'lru-cache'

/** Counts of all instances, by key and minute. */
export interface SharedCounts {
  /** Counts one more; gives the total of the current window as far as it is known, and how long the window lasts. */
  count(key: string): { readonly current: number; readonly ttlMs: number }
  /** Tells Redis what was counted here, and learns what was counted elsewhere. Never rejects. */
  exchange(): Promise<void>
  stop(): void
}

/** What counting stands on. */
export interface SharedCountOptions {
  readonly redis: Redis
  readonly namespace: string
  readonly now: () => number
  readonly onError: (error: unknown) => void
  readonly intervalMs?: number
}

/** Length of the windows; they begin with the minutes of the clock, so that instances agree without a word. */
export const WINDOW_MS = 60_000
const INTERVAL_MS = 100
const MAX_KEYS = 20_000
const MAX_KEYS_A_TIME = 2_000

interface Entry {
  readonly window: number
  /** Of all instances, as of the last exchange. */
  known: number
  /** Counted here since. */
  pending: number
}

/**
 * Starts counting. A request waits for nothing: it is counted in memory, and ten times a second the instances exchange
 * sums through Redis. So together they may let pass what arrives within a tenth of a second beyond the limit; while
 * Redis is away each counts for itself.
 */
export function countTogether(options: SharedCountOptions): SharedCounts {
  const { now, intervalMs = INTERVAL_MS } = options
  const entries = new LRUCache<string, Entry>({ max: MAX_KEYS })
  const dirty = new Map<string, Entry>()
  let isBusy = false
  let isFailing = false

  const exchange = async (): Promise<void> => {
    if (isBusy || dirty.size === 0) return
    isBusy = true
    const batch = [...dirty].slice(0, MAX_KEYS_A_TIME)
    for (const [key] of batch) dirty.delete(key)
    try {
      await send(batch, options)
      isFailing = false
    } catch (error) {
      for (const [key, entry] of batch) if (!dirty.has(key)) dirty.set(key, entry)
      // Ten times a second the same would hide the rest of the log.
      if (!isFailing) options.onError(error)
      isFailing = true
    } finally {
      isBusy = false
    }
  }

  const timer = setInterval(() => void exchange(), intervalMs)
  timer.unref()
  return {
    count: (key) => {
      const window = Math.floor(now() / WINDOW_MS)
      let entry = entries.get(key)
      if (entry?.window !== window) {
        entry = { window, known: 0, pending: 0 }
        entries.set(key, entry)
      }
      entry.pending += 1
      if (dirty.size < MAX_KEYS) dirty.set(key, entry)
      return { current: entry.known + entry.pending, ttlMs: (window + 1) * WINDOW_MS - now() }
    },
    exchange,
    stop: () => clearInterval(timer),
  }
}

async function send(batch: readonly [string, Entry][], { redis, namespace }: SharedCountOptions): Promise<void> {
  const pipeline = redis.pipeline()
  const sent = batch.map(([key, entry]) => {
    const redisKey = `${namespace}:rate:${entry.window}:${key}`
    pipeline.incrby(redisKey, entry.pending).pexpire(redisKey, 2 * WINDOW_MS)
    return { entry, amount: entry.pending }
  })
  const replies = (await pipeline.exec()) ?? []
  for (const [index, { entry, amount }] of sent.entries()) {
    const [fault, total] = replies[2 * index] ?? []
    if (fault) throw fault
    entry.known = Number(total)
    entry.pending -= amount
  }
}
