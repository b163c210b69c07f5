import { Redis, type RedisOptions } from 'ioredis'
import { dampen } from './dampen.ts'

/** What a connection needs besides its URL. */
export interface ConnectionOptions {
  /** Told about connection faults; a fault that repeats is reported once in five seconds. */
  readonly onError: (error: Error) => void
  /** Shown by `CLIENT LIST`. */
  readonly name?: string
}

const copiesOf = new WeakMap<Redis, Set<Redis>>()

/**
 * A connection for adding jobs, publishing and reading: every command fails at once while Redis is away, and nothing
 * is sent twice. It reconnects for ever, at most a second apart. Subscriptions end with a connection.
 */
export function createProducerConnection(url: string, options: ConnectionOptions): Redis {
  return open(url, options, {
    enableOfflineQueue: false,
    // 0 rejects unanswered commands as soon as the connection breaks. ioredis would otherwise repeat them after the
    // reconnect, behind the back of a caller that has been told of the fault.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Who follows channels subscribes at each "ready". ioredis would do it too, and leave the rejection to nobody, which ends the
    // process, when the connection breaks meanwhile.
    autoResubscribe: false,
    connectTimeout: 2_000,
    // A connection whose packets vanish stays "ready" for a quarter of an hour without this.
    socketTimeout: 5_000,
  })
}

/** A connection for workers and result waiters: commands wait for Redis to come back, as BullMQ demands. */
export function createWorkerConnection(url: string, options: ConnectionOptions): Redis {
  return open(url, options, {
    maxRetriesPerRequest: null,
    connectTimeout: 5_000,
    // Longer than the 10 s that a blocking read takes at most.
    socketTimeout: 25_000,
  })
}

/** Cuts a connection and the copies that BullMQ made of it; for a shutdown that must not wait. */
export function disconnectAll(connection: Redis): void {
  for (const copy of copiesOf.get(connection) ?? []) copy.disconnect()
  connection.disconnect()
}

function open(url: string, { onError, name }: ConnectionOptions, options: RedisOptions): Redis {
  const report = dampen(onError)
  const redis = new Redis(url, { ...options, retryStrategy: nextRetryMs, ...(name ? { connectionName: name } : {}) })
  redis.on('error', report)
  trackCopies(redis, report)
  return redis
}

// BullMQ duplicates the connection for its blocking reads and keeps the copies to itself. A worker whose close()
// hangs (Redis away) would leave them reconnecting for ever, and the process alive.
function trackCopies(redis: Redis, report: (error: Error) => void): void {
  const copies = new Set<Redis>()
  const duplicate = redis.duplicate.bind(redis)
  redis.duplicate = (override) => {
    const copy = duplicate(override)
    copy.on('error', report)
    copy.once('end', () => copies.delete(copy))
    copies.add(copy)
    return copy
  }
  copiesOf.set(redis, copies)
}

function nextRetryMs(attempt: number): number {
  return Math.min(1_000, 50 * 2 ** Math.min(attempt, 5)) * (0.75 + Math.random() / 4)
}
