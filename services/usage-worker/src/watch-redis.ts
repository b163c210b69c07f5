import { setTimeout as delay } from 'node:timers/promises'
import type { Rpc } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'

/** What watching stands on. */
export interface WatchOptions {
  /** From `createProducerConnection`: fails fast while Redis is away. */
  readonly redis: Redis
  readonly rpc: Rpc
  readonly newId: () => string
  /** Told once among all workers when Redis has lost what it held. */
  readonly onLoss: () => void
  /** Told after each look that found nothing wrong. */
  readonly onAdvance: () => void
}

/** What one look found. `lost`: wiped, exchanged or put back; `contended`: another worker was quicker to say so. */
export type RedisVerdict = 'advanced' | 'first' | 'lost' | 'contended'

const KEY = '{tollgate}:epoch'
const NAME = 'queues'
const BEAT_MS = 1_000

// Returns { epoch, mark after raising it }; an empty epoch where there is none.
const ADVANCE = `
  local epoch = redis.call('HGET', KEYS[1], 'epoch')
  if not epoch then return { '', '0' } end
  return { epoch, tostring(redis.call('HINCRBY', KEYS[1], 'mark', 1)) }`

// Begins an epoch in the place of another (empty: none), unless somebody else has done so. Returns 1 or 0.
const REPLACE = `
  if (redis.call('HGET', KEYS[1], 'epoch') or '') ~= ARGV[1] then return 0 end
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'mark', ARGV[3])
  return 1`

/**
 * Compares Redis with what Postgres remembers of it. The remembered mark is read first, so that the raised one must
 * exceed it: Redis' own counter never falls unless Redis has lost something.
 * @throws while either is away
 */
export async function lookAtRedis({
  redis,
  rpc,
  newId,
}: Pick<WatchOptions, 'redis' | 'rpc' | 'newId'>): Promise<RedisVerdict> {
  const [known] = await rpc('read_redis_mark', { for_name: NAME })
  const { epoch, mark } = readPair(await redis.eval(ADVANCE, 1, KEY))
  const begin = async (after: string, firstMark: string) => {
    const next = newId()
    const isOurs = (await redis.eval(REPLACE, 1, KEY, after, next, firstMark)) === 1
    return isOurs && (await note(rpc, next, firstMark, known?.epoch))
  }
  if (epoch === '') return (await begin('', '1')) ? (known ? 'lost' : 'first') : 'contended'
  if (known === undefined) return (await note(rpc, epoch, mark)) ? 'first' : 'contended'
  if (known.epoch !== epoch) return (await note(rpc, epoch, mark, known.epoch)) ? 'lost' : 'contended'
  if (BigInt(mark) > BigInt(known.mark)) return (await note(rpc, epoch, mark)) ? 'advanced' : 'contended'
  return (await begin(epoch, String(BigInt(known.mark) + 1n))) ? 'lost' : 'contended'
}

/** Looks every second until stopped; while either is away it waits, which is not this watch's to report. */
export async function keepRedisWatched(options: WatchOptions, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    const verdict = await lookAtRedis(options).catch(() => undefined)
    if (verdict === 'lost') options.onLoss()
    else if (verdict !== undefined) options.onAdvance()
    await delay(BEAT_MS, undefined, { signal: stopping }).catch(() => undefined)
  }
}

async function note(rpc: Rpc, epoch: string, mark: string, insteadOf?: string): Promise<boolean> {
  const ended = insteadOf === undefined ? {} : { instead_of: insteadOf }
  const [row] = await rpc('note_redis_mark', { for_name: NAME, new_epoch: epoch, new_mark: mark, ...ended })
  return row?.noted === true
}

function readPair(answer: unknown): { epoch: string; mark: string } {
  if (!Array.isArray(answer)) throw new TypeError('Redis gave no pair')
  return { epoch: String(answer[0]), mark: String(answer[1]) }
}
