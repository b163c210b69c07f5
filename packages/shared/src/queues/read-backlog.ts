import type { Redis } from 'ioredis'
import type { QueueAddress } from './catalog.ts'

/** Jobs of a queue, summed over its shards. */
export interface Backlog {
  /** Not yet under way: waiting, or between two tries. */
  readonly waiting: number
  /** Being handled. */
  readonly active: number
  /** Dead letters. */
  readonly failed: number
  /** Things in the jobs that wait or are under way, as far as their ids say (`sizedJobId`), else 1 each. */
  readonly items: number
  /** Age of the oldest job that has not ended, in ms; 0 when there is none. */
  readonly oldestMs: number
}

// A backlog of more jobs than this is estimated from so many of them: reading must stay cheap when it is longest.
const SAMPLE = 1_000
// Jobs that are taken next: the oldest, and before it those that are urgent, which are few.
const LAST = 8
const SIZE = /-n(\d{1,7})$/

/** An id that says how many things its job holds, so that a backlog can be weighed without reading the jobs. */
export function sizedJobId(id: string, items: number): string {
  return `${id}-n${items}`
}

/**
 * Measures the backlog of a queue's shards with plain reads, which need no started BullMQ queue. Ages are by the clock
 * of the producer that added the job. @throws what the connection throws
 */
export async function readBacklog(
  redis: Redis,
  addresses: readonly QueueAddress[],
  now: () => number,
): Promise<Backlog> {
  const parts = await Promise.all(addresses.map((address) => readShard(redis, address, now)))
  const sum = (count: (part: Backlog) => number) => parts.reduce((total, part) => total + count(part), 0)
  return {
    waiting: sum((part) => part.waiting),
    active: sum((part) => part.active),
    failed: sum((part) => part.failed),
    items: sum((part) => part.items),
    oldestMs: Math.max(0, ...parts.map((part) => part.oldestMs)),
  }
}

async function readShard(redis: Redis, { prefix, queue }: QueueAddress, now: () => number): Promise<Backlog> {
  const key = (name: string) => `${prefix}:${queue}:${name}`
  const [paused, prioritized, failed, waitCount, delayedCount, activeCount, oldest, wait, delayed, active] =
    await Promise.all([
      redis.llen(key('paused')),
      redis.zcard(key('prioritized')),
      redis.zcard(key('failed')),
      redis.llen(key('wait')),
      redis.zcard(key('delayed')),
      redis.llen(key('active')),
      redis.lrange(key('wait'), -LAST, -1),
      redis.lrange(key('wait'), 0, SAMPLE - 1),
      redis.zrange(key('delayed'), 0, String(SAMPLE - 1)),
      redis.lrange(key('active'), 0, SAMPLE - 1),
    ])
  // New jobs are put in front, so the oldest is among the last of `wait`; the others are in no order of age.
  const candidates = [...oldest, ...delayed, ...active]
  const times = await Promise.all(candidates.map((id) => redis.hget(key(id), 'timestamp')))
  const ages = times.flatMap((time) => (time === null ? [] : [now() - Number(time)]))
  return {
    waiting: waitCount + paused + prioritized + delayedCount,
    active: activeCount,
    failed,
    items: weigh(wait, waitCount) + weigh(delayed, delayedCount) + weigh(active, activeCount) + paused + prioritized,
    oldestMs: Math.max(0, ...ages),
  }
}

function weigh(sample: readonly string[], count: number): number {
  if (sample.length === 0) return 0
  const items = sample.reduce((sum, id) => sum + Number(SIZE.exec(id)?.[1] ?? 1), 0)
  return Math.round((items / sample.length) * count)
}
