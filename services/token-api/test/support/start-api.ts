import { randomBytes, randomUUID } from 'node:crypto'
import {
  createTestDatabase,
  createTestRedis,
  startTestSupabase,
  type TestSupabase,
} from '@tollgate/local-stack/testing'
import type { Phases } from '@tollgate/shared/lifecycle'
import { createLogger } from '@tollgate/shared/logging'
import { Redis } from 'ioredis'
import pg from 'pg'
import { readConfig } from '../../src/config.ts'
import { startTokenApi } from '../../src/start.ts'

/** Secrets of a test's API, known to the test so that it can sign as Supabase does. */
export interface Secrets {
  readonly libreChat: string
  readonly refresh: string
  readonly webhooks: string
  readonly supabase: string
}

/** Makes a secret that the configuration accepts. */
export const newSecret = (): string => randomBytes(36).toString('base64url')

/** A token API that listens on a free port, in this process. */
export interface TestApi {
  readonly url: string
  stop(): Promise<void>
}

/** Starts the API as `main.ts` does, on given servers. */
export async function startApi(env: Record<string, string>): Promise<TestApi> {
  const steps: { stage: string; run: () => unknown }[] = []
  const phases: Phases = { add: (stage, _name, _timeoutMs, run) => void steps.push({ stage, run }) }
  const stopping = new AbortController()
  const { url } = await startTokenApi({
    config: readConfig({ SUPABASE_URL: 'http://127.0.0.1:9', PORT: '0', RATE_LIMITS: 'off', ...env }),
    logger: createLogger({ service: 'token-api', level: process.env.TEST_LOG_LEVEL ?? 'silent' }),
    now: Date.now,
    monotonicNow: () => performance.now(),
    newId: randomUUID,
    phases,
    stopping: stopping.signal,
  })
  const stop = async () => {
    stopping.abort()
    const drains = steps.filter(({ stage }) => stage === 'drain')
    const closes = steps.filter(({ stage }) => stage === 'close').reverse()
    for (const { run } of [...drains, ...closes]) await run()
  }
  return { url, stop }
}

interface BenchOptions {
  readonly auth?: boolean
  readonly env?: Record<string, string>
}

/** The servers and the API of one test file. */
export interface Bench {
  readonly api: TestApi
  readonly db: pg.Pool
  readonly redis: Redis
  readonly namespace: string
  readonly secrets: Secrets
  /** Postgres as the usage worker sees it. */
  readonly workerUrl: string
  /** And as the quota-enforcer does. */
  readonly enforcerUrl: string
  readonly supabase: TestSupabase | undefined
  /** The environment of `api`, for a second instance. */
  readonly env: Record<string, string>
  stop(): Promise<void>
}

/** A database, a Redis database and an API of a test file's own; with `auth` a Supabase-compatible one too. */
export async function openBench({ auth = false, env: extra = {} }: BenchOptions = {}): Promise<Bench> {
  const database = await createTestDatabase()
  const { redisUrl, prefix } = await createTestRedis()
  const supabase = auth ? await startTestSupabase(database.databaseUrl) : undefined
  const secrets = {
    libreChat: newSecret(),
    refresh: newSecret(),
    webhooks: newSecret(),
    supabase: supabase?.jwtSecret ?? newSecret(),
  }
  const env = {
    REDIS_URL: redisUrl,
    REDIS_NAMESPACE: prefix,
    DATABASE_URL: database.urls['token-api'],
    LIBRECHAT_JWT_SECRET: secrets.libreChat,
    JWT_REFRESH_SECRET: secrets.refresh,
    WEBHOOK_SECRET_KEYS: secrets.webhooks,
    SUPABASE_JWT_SECRET: secrets.supabase,
    ...(supabase ? { SUPABASE_URL: supabase.url } : {}),
    ...extra,
  }
  const db = new pg.Pool({ connectionString: database.databaseUrl, max: 2 })
  const redis = new Redis(redisUrl)
  const api = await startApi(env)
  const stop = async () => {
    await api.stop()
    redis.disconnect()
    await db.end()
    await supabase?.stop()
    await database.drop()
  }
  const { 'usage-worker': workerUrl, 'quota-enforcer': enforcerUrl } = database.urls
  return { api, db, redis, namespace: prefix, secrets, env, workerUrl, enforcerUrl, supabase, stop }
}
