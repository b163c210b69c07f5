import { Redis } from 'ioredis'
import { inject } from 'vitest'
import './provided.ts'

/** A numbered Redis database of its own for one test file. */
export type TestRedis = {
  redisUrl: string
  /** Pub/sub reaches all numbered databases: channels need this prefix to be told apart. */
  prefix: string
  /** Empties the database. */
  flush(): Promise<void>
}

const withRedis = async <Result>(url: string, work: (redis: Redis) => Promise<Result>): Promise<Result> => {
  const redis = new Redis(url, { maxRetriesPerRequest: 3 })
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

/** Claims a Redis database. Needs the global setup, so it is for integration tests. */
export const createTestRedis = async (): Promise<TestRedis> => {
  const { redisUrl: sharedUrl, redisDatabases } = inject('tollgate')
  const claimed = await withRedis(sharedUrl, (redis) => redis.incr('tollgate:test:claimed-databases'))
  // Database 0 keeps the counter. A run that claims more than there are begins again with the earliest, long done by then.
  const number = ((claimed - 1) % (redisDatabases - 1)) + 1
  const url = new URL(sharedUrl)
  url.pathname = `/${number}`
  const redisUrl = url.toString()
  const flush = async () => {
    await withRedis(redisUrl, (redis) => redis.flushdb())
  }
  await flush()
  return { redisUrl, prefix: `test-${claimed}`, flush }
}
