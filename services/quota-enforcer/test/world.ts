import { randomUUID } from 'node:crypto'
import { createTestDatabase, createTestRedis } from '@tollgate/local-stack/testing'
import type { AcceptedEvent, Enforcement, QuotaPolicy } from '@tollgate/shared/contracts'
import { enforcement } from '@tollgate/shared/contracts'
import { createLogger } from '@tollgate/shared/logging'
import { createMetrics } from '@tollgate/shared/metrics'
import {
  createProducer,
  createProducerConnection,
  createWorkerConnection,
  disconnectAll,
} from '@tollgate/shared/queues'
import { openStore, type Rpc } from '@tollgate/shared/store'
import { createSecretBox } from '@tollgate/shared/webhooks'
import { Redis } from 'ioredis'
import pg from 'pg'
import { createEvaluate, type Evaluate } from '../src/evaluate.ts'
import { defineEnforcerMetrics } from '../src/metrics.ts'
import { createPublish, enforcementKey } from '../src/publish.ts'
import { startEnforcer, type WebhookSettings } from '../src/start-enforcer.ts'

const onError = () => undefined
/** What the secrets of all test endpoints are sealed with. */
export const SECRET_BOX_KEY = 'the key of these tests, as long as it has to be'
/** Seals the secrets of all test endpoints. */
export const secretBox = createSecretBox([SECRET_BOX_KEY])
const silent = createLogger({ service: 'test', level: 'silent' })

/** A row of `quota_decisions`. */
interface DecisionRow {
  readonly id: string
  readonly from_state: string
  readonly to_state: string
  readonly version: string
  readonly reason: string
  readonly actor: string
  readonly inputs: Record<string, unknown>
}

/** A migrated database and a Redis of its own, reached as each service reaches them. */
export type World = Awaited<ReturnType<typeof openWorld>>

/** Opens a world; everything in it is closed by `close`. */
export async function openWorld() {
  const [database, testRedis] = await Promise.all([createTestDatabase(), createTestRedis()])
  const admin = new pg.Pool({ connectionString: database.databaseUrl, max: 3 })
  // The end of a connection that a dropped database cuts is no fault of a test.
  admin.on('error', onError)
  const closers: (() => unknown)[] = [() => admin.end()]
  const openRpc = (service: keyof typeof database.urls): Rpc => {
    const settings = { transport: 'pg', connectionString: database.urls[service] } as const
    const use = { applicationName: 'test', maxConnections: 8, statementTimeoutMs: 10_000, onError }
    const store = openStore(settings, use)
    closers.push(() => store.close())
    return store.rpc
  }
  const redis = new Redis(testRedis.redisUrl)
  closers.push(() => redis.disconnect())
  const rpcOf = {
    api: openRpc('token-api'),
    worker: openRpc('usage-worker'),
    enforcer: openRpc('quota-enforcer'),
  }
  const namespace = testRedis.prefix

  return {
    admin,
    redis,
    rpcOf,
    namespace,
    urls: { redis: testRedis.redisUrl, database: database.urls['quota-enforcer'] },
    ...accounts(admin, rpcOf),
    ...readers(admin, redis, rpcOf.enforcer, namespace),
    /** An evaluation without queue, sweep or Redis. */
    evaluate: evaluateOver(rpcOf.enforcer),
    publish: createPublish(redis, namespace),
    start: (options: EnforcerOptions = {}) =>
      startTestEnforcer(openRpc('quota-enforcer'), testRedis.redisUrl, namespace, options),
    ...waker(testRedis.redisUrl, closers),
    close: async () => {
      await Promise.all(closers.map((close) => close()))
      await database.drop()
    },
  }
}

/** An evaluation over a given `Rpc` that tells nobody. */
export function evaluateOver(rpc: Rpc): Evaluate {
  const metrics = defineEnforcerMetrics(createMetrics({ service: 'test' }))
  return createEvaluate({ rpc, announce: async () => undefined, metrics, logger: silent })
}

function accounts(admin: pg.Pool, rpcOf: { api: Rpc; worker: Rpc }) {
  return {
    /** With one user, who has the organization's id. */
    createOrganization: async (): Promise<string> => {
      const id = randomUUID()
      await admin.query('insert into public.organizations (id, name, domain) values ($1, $2, $2)', [id, id])
      await admin.query(`insert into auth.users (id, email) values ($1, $2)`, [id, `${id}@example.com`])
      await admin.query('insert into public.profiles (id, organization_id, email) values ($1, $1, $2)', [
        id,
        `${id}@example.com`,
      ])
      return id
    },
    setLimit: (organization_id: string, limit: number | null, policy?: QuotaPolicy) =>
      rpcOf.api('set_quota', {
        change: { organization_id, limit, actor: 'test', only_lower: false, ...(policy ? { policy } : {}) },
      }),
    /** A user's own limit, whether or not the user has a profile. */
    setUserLimit: (organizationId: string, userId: string, limit: number | null) =>
      admin.query(
        `insert into tollgate.user_quotas (organization_id, user_id, max_tokens, updated_by) values ($1, $2, $3, 'test')
         on conflict (organization_id, user_id) do update
         set is_own = true, max_tokens = $3, version = user_quotas.version + 1`,
        [organizationId, userId, limit],
      ),
    /** The limit of each user without an own one. */
    setUserDefault: (organization_id: string, limit: number | null) =>
      rpcOf.api('set_user_default', { change: { organization_id, limit, actor: 'test' } }),
    /** Lets the default hold for the organization's one user again. */
    followDefault: (id: string) =>
      rpcOf.api('set_user_quota', {
        change: { organization_id: id, user_id: id, limit: null, follow_default: true, actor: 'test' },
      }),
    /** Records usage as the worker does; wakes nobody. */
    use: (organization_id: string, total: number) =>
      rpcOf.worker('ingest_usage', { batch: { events: [usageEvent(organization_id, total)] } }),
    /** As if the present period were the last one: its total and its end move a month back. */
    endPeriod: async (organization_id: string): Promise<void> => {
      // At one instant: a sweep in between would see a total that fell, and no period that is over.
      await admin.query(
        `with moved as (
           update tollgate.period_totals set period_start = period_start - interval '1 month' where organization_id = $1)
         update tollgate.enforcement_states
         set period_start = period_start - interval '1 month', period_end = now() - interval '1 second'
         where organization_id = $1`,
        [organization_id],
      )
    },
  }
}

/** A usage event of the organization's one user, who has the organization's id. */
export function usageEvent(organization_id: string, total: number): AcceptedEvent {
  const at = new Date().toISOString()
  return {
    type: 'usage.recorded',
    source: 'test',
    id: randomUUID(),
    time: at,
    received_at: at,
    member: true,
    organization_id,
    user_id: organization_id,
    session_id: 'test',
    model: 'gpt-4o',
    input_tokens: total,
    output_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 0,
    reasoning_output_tokens: 0,
    message_count: 1,
  }
}

function readers(admin: pg.Pool, redis: Redis, rpc: Rpc, namespace: string) {
  return {
    readPosition: async (organizationId: string) => {
      const [row] = await rpc('load_quota_position', { for_organization: organizationId })
      if (row === undefined) throw new Error(`no position of ${organizationId}`)
      return row
    },
    readDecisions: async (organizationId: string): Promise<DecisionRow[]> => {
      const sql = 'select * from tollgate.quota_decisions where organization_id = $1 order by decided_at, version'
      return (await admin.query<DecisionRow>(sql, [organizationId])).rows
    },
    readCopy: async (organizationId: string): Promise<Enforcement | null> => {
      const text = await redis.hget(enforcementKey(namespace), organizationId)
      return text === null ? null : enforcement.parse(JSON.parse(text))
    },
  }
}

interface EnforcerOptions {
  readonly sweepIntervalMs?: number
  readonly rebuildIntervalMs?: number
  readonly auditIntervalMs?: number
  readonly webhooks?: Partial<WebhookSettings>
}

function startTestEnforcer(rpc: Rpc, redisUrl: string, namespace: string, options: EnforcerOptions) {
  const metrics = createMetrics({ service: 'test' })
  const redis = createProducerConnection(redisUrl, { onError })
  const queueConnection = createWorkerConnection(redisUrl, { onError })
  const enforcer = startEnforcer({
    rpc,
    redis,
    queueConnection,
    namespace,
    // Long enough that only what a test asks for happens.
    sweepIntervalMs: options.sweepIntervalMs ?? 600_000,
    rebuildIntervalMs: options.rebuildIntervalMs ?? 600_000,
    auditIntervalMs: options.auditIntervalMs ?? 600_000,
    webhooks: { allowPrivate: true, box: secretBox, intervalMs: 600_000, ...options.webhooks },
    metrics: defineEnforcerMetrics(metrics),
    logger: silent,
    now: Date.now,
  })
  return {
    checks: enforcer.checks,
    readMetric: async (name: string, labels: Record<string, string> = {}): Promise<number> => {
      const found = await metrics.registry.getSingleMetric(name)?.get()
      const matches = (have: Partial<Record<string, string | number>>) =>
        Object.entries(labels).every(([label, value]) => have[label] === value)
      return found?.values.find((sample) => matches(sample.labels))?.value ?? 0
    },
    stop: async () => {
      await enforcer.stopConsuming(5_000)
      await enforcer.stopSweeping()
      disconnectAll(queueConnection)
      disconnectAll(redis)
    },
  }
}

function waker(redisUrl: string, closers: (() => unknown)[]) {
  const connection = createProducerConnection(redisUrl, { onError })
  const evaluations = createProducer('quota-evaluations', { connection, shards: 1 })
  closers.push(async () => {
    await evaluations.close()
    connection.disconnect()
  })
  return {
    /** Wakes the enforcer as the usage worker does. */
    wake: (organization_id: string) =>
      evaluations.add(
        { v: 1, organization_id, reason: 'usage' },
        { jobId: randomUUID(), deduplication: { id: organization_id, keepLastIfActive: true } },
      ),
  }
}
