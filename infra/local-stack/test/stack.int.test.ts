import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readStackFile, type Stack, stackFile, startStack } from '../src/index.ts'
import { processStamp } from '../src/process-stamp.ts'
import { createTemporaryDir, type TemporaryDir } from '../src/testing/index.ts'

const fixture = join(import.meta.dirname, 'fixtures/service.ts')
const scripts = { 'token-api': fixture, 'usage-worker': fixture, 'quota-enforcer': fixture }

const query = async (url: string, sql: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const redisDo = async <Result>(url: string, work: (redis: Redis) => Promise<Result>): Promise<Result> => {
  const redis = new Redis(url)
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

describe('a running stack', () => {
  let temporary: TemporaryDir
  let stack: Stack
  const start = () => startStack({ dir: temporary.dir, durable: false, scripts })

  beforeAll(async () => {
    temporary = createTemporaryDir()
    stack = await start()
  })

  afterAll(async () => {
    await stack?.stop()
    await temporary?.remove()
  })

  it('writes stack.json in the agreed shape, with processes that live', () => {
    const content = readStackFile(temporary.dir)
    expect(content).toEqual(stack.describe())
    expect(
      stackFile
        .strict()
        .parse(content)
        .organizations.map(({ domain }) => domain),
    ).toEqual(['acme-research', 'borealis-labs', 'cobalt-support'])
    expect(Object.keys(content?.pids ?? {})).toEqual(
      expect.arrayContaining(['token-api', 'usage-worker', 'quota-enforcer', 'redis', 'postgres']),
    )
  })

  it('seeds one user and one admin per organization and one super_admin, who can sign in', async () => {
    const { users, supabase } = stack.describe()
    expect(users.map(({ role }) => role).sort()).toEqual([
      'admin',
      'admin',
      'admin',
      'super_admin',
      'user',
      'user',
      'user',
    ])
    const [user] = users
    const response = await fetch(`${supabase.url}/auth/v1/token?grant_type=password`, {
      method: 'POST',
      headers: { apikey: supabase.publishableKey, 'content-type': 'application/json' },
      body: JSON.stringify({ email: user?.email, password: user?.password }),
    })
    expect(response.status).toBe(200)
  })

  it('tells each service where the servers are, as its own database role', async () => {
    const env = (await (await fetch(`${stack.services['usage-worker'].url}/env`)).json()) as Record<string, string>
    expect(env.REDIS_URL).toBe(stack.redisUrl)
    expect(env.SUPABASE_URL).toBe(stack.supabase.url)
    expect(new URL(env.DATABASE_URL ?? '').username).toBe('tollgate_usage_worker')
    expect(env.LIBRECHAT_JWT_SECRET).toBeUndefined()
  })

  it('refuses a second start in the same directory, and the first goes on', async () => {
    await expect(start()).rejects.toThrow(`already running in ${temporary.dir} (pid ${process.pid})`)
    expect(readStackFile(temporary.dir)).not.toBeNull()
  })

  it('lets a test kill and restart a service; stack.json follows', async () => {
    const worker = stack.services['usage-worker']
    const before = worker.pid
    await worker.kill('SIGKILL')
    expect(worker.pid).toBeNull()
    expect(readStackFile(temporary.dir)).toBeNull()
    await worker.start()
    expect(worker.pid).not.toBe(before)
    expect(readStackFile(temporary.dir)?.pids['usage-worker']).toBe(worker.pid)
  })

  it('keeps what a killed Redis and a killed PostgreSQL had accepted', async () => {
    await redisDo(stack.redisUrl, (redis) => redis.set('kept', 'yes'))
    await query(stack.databaseUrl, `create table public.kept as select 'yes' as value`)
    await Promise.all([stack.redis.kill(), stack.postgres.kill()])
    await Promise.all([stack.redis.start(), stack.postgres.start()])
    expect(await redisDo(stack.redisUrl, (redis) => redis.get('kept'))).toBe('yes')
    expect(await query(stack.databaseUrl, 'select value from public.kept')).toEqual([{ value: 'yes' }])
  })

  it('runs Redis so that an accepted write is on disk and nothing is evicted', async () => {
    const settings = await redisDo(stack.redisUrl, (redis) =>
      redis.call('CONFIG', 'GET', 'appendonly', 'appendfsync', 'maxmemory-policy', 'save'),
    )
    expect(Object.fromEntries(Array.isArray(settings) ? pairs(settings) : Object.entries(Object(settings)))).toEqual({
      appendonly: 'yes',
      appendfsync: 'always',
      'maxmemory-policy': 'noeviction',
      save: '',
    })
  })

  it('goes on with the same data, ports and keys after a stop, adds no seeds again, and left no process', async () => {
    const before = stack.describe()
    const count =
      'select (select count(*) from auth.users) as users, (select count(*) from tollgate.service_keys) as keys'
    const rows = await query(stack.databaseUrl, count)
    await stack.stop()
    expect(Object.values(before.pids).filter((pid) => processStamp(pid) !== null)).toEqual([])
    expect(readStackFile(temporary.dir)).toBeNull()
    stack = await start()
    expect({ ...stack.describe(), pids: {} }).toEqual({ ...before, pids: {} })
    expect(await query(stack.databaseUrl, count)).toEqual(rows)
    expect(await redisDo(stack.redisUrl, (redis) => redis.get('kept'))).toBe('yes')
  })

  it('keeps the plaintext of server keys out of the database', async () => {
    const { ingestKey } = stack.describe()
    const rows = JSON.stringify(await query(stack.databaseUrl, 'select * from tollgate.service_keys'))
    expect(rows).not.toContain(ingestKey)
    expect(readFileSync(join(temporary.dir, 'stack.json'), 'utf8')).toContain(ingestKey)
  })
})

const pairs = (flat: unknown[]): [string, unknown][] =>
  flat.flatMap((name, index) => (index % 2 === 0 ? [[String(name), flat[index + 1]] as [string, unknown]] : []))
