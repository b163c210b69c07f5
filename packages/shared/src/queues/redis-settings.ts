import type { Redis } from 'ioredis'
import { EvictionError } from './queue-error.ts'

/**
 * Refuses a Redis that may evict keys: it would drop jobs that were acknowledged.
 * @returns `unknown` when the server forbids CONFIG (managed services) and INFO does not tell
 * @throws EvictionError when maxmemory-policy is not noeviction; any other error when Redis does not answer
 */
export async function requireNoEviction(redis: Redis): Promise<'noeviction' | 'unknown'> {
  const policy = (await readConfig(redis, 'maxmemory-policy')) ?? (await readInfo(redis, 'memory', 'maxmemory_policy'))
  if (policy === undefined) return 'unknown'
  if (policy === 'noeviction') return policy
  throw new EvictionError(`Redis has maxmemory-policy ${policy} and may drop accepted events: set it to noeviction`)
}

/** The server's durability: `appendfsync` when the append-only file is on, `off` when it is not. */
export async function readAppendFsync(redis: Redis): Promise<'always' | 'everysec' | 'no' | 'off' | 'unknown'> {
  const aof = await readInfo(redis, 'persistence', 'aof_enabled')
  if (aof === '0') return 'off'
  const fsync = await readConfig(redis, 'appendfsync')
  return fsync === 'always' || fsync === 'everysec' || fsync === 'no' ? fsync : 'unknown'
}

async function readConfig(redis: Redis, setting: string): Promise<string | undefined> {
  try {
    const answer: unknown = await redis.config('GET', setting)
    return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : undefined
  } catch (error) {
    return ignoreRefusal(error)
  }
}

async function readInfo(redis: Redis, section: string, field: string): Promise<string | undefined> {
  try {
    const lines = (await redis.info(section)).split(/\r?\n/)
    return lines.find((line) => line.startsWith(`${field}:`))?.slice(field.length + 1)
  } catch (error) {
    return ignoreRefusal(error)
  }
}

// The server's own "no" (unknown command, no permission) is an answer; a broken connection is a fault.
function ignoreRefusal(error: unknown): undefined {
  if (error instanceof Error && error.name === 'ReplyError') return undefined
  throw error
}
