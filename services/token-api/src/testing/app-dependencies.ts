import { randomUUID } from 'node:crypto'
import { createLogger } from '@tollgate/shared/logging'
import { createMetrics } from '@tollgate/shared/metrics'
import type { AppDependencies } from '../app.ts'
import { bindStore } from '../bind-store.ts'
import { readConfig } from '../config.ts'
import { defineMeters } from '../meters.ts'
import { openHolds } from '../reservations/open-holds.ts'
import { importKeys } from '../tokens/keys.ts'

const config = readConfig({
  REDIS_URL: 'redis://127.0.0.1:9',
  DATABASE_URL: 'postgres://127.0.0.1:9/none',
  SUPABASE_URL: 'http://127.0.0.1:9',
  SUPABASE_JWT_SECRET: 'super-secret-jwt-token-with-at-least-32-characters-long',
  JWT_REFRESH_SECRET: 'Zq8wErT5yUiOp2AsDfG7hJkL4zXcVbN1',
  LIBRECHAT_JWT_SECRET: 'kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U',
  CORS_ORIGINS: 'https://app.example',
})

/** What an app stands on that reaches nothing: each question to the store ends in `fault()`. Lines of the log go to `lines`. */
export async function unreachableDependencies(fault: () => Error, lines: string[]): Promise<AppDependencies> {
  const metrics = createMetrics({ service: 'token-api' })
  const store = bindStore(async () => {
    throw fault()
  })
  const key = { id: 'key-1', scopes: ['quota:read', 'events:write'], organization_id: null, expires_at: null }
  return {
    config,
    keys: await importKeys(config.LIBRECHAT_JWT_SECRET, config.JWT_REFRESH_SECRET),
    store,
    serviceKeys: { authenticate: async () => key, recall: () => undefined, announce: async () => undefined },
    sessions: {
      start: async () => undefined,
      revoke: async () => 0,
      announce: async () => undefined,
      poke: () => undefined,
    },
    admit: async () => [],
    holds: openHolds(store, { observe: false, onPosition: () => undefined }),
    secure: async () => undefined,
    enter: () => () => undefined,
    positions: { show: () => undefined, mark: () => undefined },
    judge: () => ({ accepted: true }),
    waitForResult: async () => ({ status: 'timeout' }),
    wakeEnforcer: async () => undefined,
    awaitForce: async () => false,
    meters: defineMeters(metrics, () => true),
    now: Date.now,
    monotonicNow: () => performance.now(),
    newId: randomUUID,
    logger: createLogger({
      service: 'token-api',
      level: 'info',
      destination: { write: (line: string) => void lines.push(line) },
    }),
    metrics,
    checks: {},
  }
}
