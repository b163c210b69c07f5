import { storeSettings } from '@tollgate/shared/config'
import type { StartContext } from '@tollgate/shared/lifecycle'
import type { Logger } from '@tollgate/shared/logging'
import { createMetrics, type Metrics } from '@tollgate/shared/metrics'
import {
  createProducer,
  createProducerConnection,
  createResultWaiter,
  createWorkerConnection,
  disconnectAll,
  queueAddresses,
  readBacklog,
} from '@tollgate/shared/queues'
import { openStore } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import { buildApp } from './app.ts'
import { bindStore, type Store } from './bind-store.ts'
import type { Config } from './config.ts'
import { type Gate, openGate } from './gate/open-gate.ts'
import { createAdmission } from './ingest/admit-events.ts'
import type { WaitForResult } from './ingest/await-outcomes.ts'
import { type BacklogGuard, createBacklogGuard } from './ingest/guard-backlog.ts'
import { judgeUrgency } from './ingest/judge-urgency.ts'
import { openServiceKeys, type ServiceKeys } from './keys/open-service-keys.ts'
import { openRates } from './manners/open-rates.ts'
import { defineMeters, defineRevocationMeters } from './meters.ts'
import { createAwaitForce } from './quota/await-force.ts'
import { openPositions, type Positions } from './quota/open-positions.ts'
import { createChecks, refuseEviction } from './readiness.ts'
import { openHolds } from './reservations/open-holds.ts'
import { openSessions } from './sessions/open-sessions.ts'
import { importKeys } from './tokens/keys.ts'

/** What the service is started with. */
export interface TokenApiOptions extends StartContext {
  readonly config: Config
  readonly logger: Logger
  readonly now: () => number
  readonly monotonicNow: () => number
  readonly newId: () => string
}

/** A listening service. */
export interface RunningTokenApi {
  readonly url: string
}

const MAX_CONNECTIONS = 10
const BACKLOG_INTERVAL_MS = 1_000
// What needs Postgres is answered 503 within two seconds.
const STATEMENT_TIMEOUT_MS = 1_000

/** Opens everything that the token API needs and listens; neither Redis nor Postgres has to be there. */
export async function startTokenApi(options: TokenApiOptions): Promise<RunningTokenApi> {
  const { config, logger, phases, stopping, now, monotonicNow, newId } = options
  if (config.URL_TOKEN === 'access') {
    logger.warn('URL_TOKEN=access puts access tokens into URLs, where logs and Referer headers keep them')
  }
  const connections = openConnections(options)
  const { redis, rpc, onError } = connections
  const store = bindStore(rpc)
  await refuseEviction(redis)

  const metrics = createMetrics({ service: 'token-api' })
  const gate = openGateOver(options, connections, metrics)
  const meters = defineMeters(metrics, gate.isLeased)
  const waitForResult = openWaiter(options, connections)
  const positions = openPositionsOver(options, connections)
  const producer = createProducer('usage-events', { connection: redis, shards: config.SHARDS })
  const admission = createAdmission({
    producer,
    park: store.park,
    shards: config.SHARDS,
    isUrgent: judgeUrgency(positions.find, monotonicNow),
    acceptOn: config.ACCEPT_ON,
    now: monotonicNow,
    newId,
    onAccepted: (path, events) => meters.accepted.inc({ path }, events),
    onError,
  })
  const holds = openHolds(store, { observe: config.ENFORCEMENT_MODE === 'observe', onPosition: positions.learn })
  const sessions = openSessions({
    store,
    announce: gate.announce,
    producer,
    metrics,
    shards: config.SHARDS,
    now,
    onError,
    phases,
    stopping,
  })
  const app = buildApp({
    config,
    keys: await importKeys(config.LIBRECHAT_JWT_SECRET, config.JWT_REFRESH_SECRET, {
      previousSecrets: config.JWT_PREVIOUS_SECRETS,
      signingKey: config.JWT_SIGNING_KEY,
      previousPublicKeys: config.JWT_PREVIOUS_PUBLIC_KEYS,
    }),
    store,
    serviceKeys: openServiceKeysOver(options, connections, store),
    sessions,
    ...openRates({ ...options, ...connections, meters }),
    admit: admission.admit,
    holds,
    secure: admission.secure,
    enter: guardBacklog(options, connections, metrics),
    positions,
    judge: gate.judge,
    waitForResult,
    wakeEnforcer: wakeEnforcer(redis, newId, onError),
    awaitForce: createAwaitForce({ store, announceState: gate.announceState, monotonicNow }),
    meters,
    now,
    monotonicNow,
    newId,
    logger,
    metrics,
    checks: createChecks(redis, store.ping, gate.isLeased, config.GATE_FAIL_MODE),
    stopping,
  })
  phases.add('drain', 'http', 4_000, () => app.close())
  phases.add('drain', 'admission', 3_000, admission.drain)
  phases.add('drain', 'reservations', 2_500, holds.drain)
  const url = await app.listen({ host: config.HOST, port: config.PORT })
  logger.info({ url }, 'token-api listens')
  return { url }
}

function openConnections({ config, logger, phases }: TokenApiOptions) {
  const onError = (error: unknown): void => logger.warn({ err: error }, 'a dependency is away')
  const { rpc, close } = openStore(storeSettings(config), {
    applicationName: 'tollgate-token-api',
    maxConnections: MAX_CONNECTIONS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: STATEMENT_TIMEOUT_MS,
    onError,
  })
  phases.add('close', 'store', 1_000, close)
  const keep = (name: string, connection: Redis): Redis => {
    phases.add('close', name, 500, () => disconnectAll(connection))
    return connection
  }
  const open = (name: string) => keep(name, createProducerConnection(config.REDIS_URL, { onError, name }))
  return {
    onError,
    rpc,
    redis: open('token-api'),
    subscriber: open('token-api-gate'),
    positionsSubscriber: open('token-api-positions'),
    waiting: keep(
      'token-api-results',
      createWorkerConnection(config.REDIS_URL, { onError, name: 'token-api-results' }),
    ),
  }
}

function openGateOver(
  { config, phases, now, monotonicNow, newId }: TokenApiOptions,
  { subscriber, redis, rpc, onError }: ReturnType<typeof openConnections>,
  metrics: Metrics,
): Gate {
  const { announcing, silent } = defineRevocationMeters(metrics, () => gate.revocationCount())
  const reloads = metrics.counter('tollgate_gate_reloads_total', 'Full reads of the enforcement states', ['source'])
  const gate = openGate({
    subscriber,
    redis,
    rpc,
    namespace: config.REDIS_NAMESPACE,
    instanceId: newId(),
    failMode: config.GATE_FAIL_MODE,
    observe: config.ENFORCEMENT_MODE === 'observe',
    now,
    monotonicNow,
    newId,
    onAnnounced: (seconds, silentGates) => {
      announcing.observe(seconds)
      silent.inc(silentGates)
    },
    onReload: (source) => reloads.inc({ source }),
    onError,
  })
  phases.add('close', 'gate', 100, gate.stop)
  return gate
}

function openServiceKeysOver(
  { config, phases, now }: TokenApiOptions,
  { subscriber, redis, onError }: ReturnType<typeof openConnections>,
  store: Store,
): ServiceKeys {
  const { REDIS_NAMESPACE: namespace, TOLLGATE_OPERATOR_KEY: bootstrapKey } = config
  const serviceKeys = openServiceKeys({ store, subscriber, redis, namespace, bootstrapKey, now, onError })
  phases.add('close', 'uses of keys', 1_500, serviceKeys.stop)
  return serviceKeys
}

/** Measures what waits once a second, and refuses events while it is too much. */
function guardBacklog(
  { config, phases, now }: TokenApiOptions,
  { redis, rpc }: ReturnType<typeof openConnections>,
  metrics: Metrics,
): BacklogGuard['enter'] {
  const addresses = queueAddresses('usage-events', config.SHARDS)
  const guard = createBacklogGuard(config.MAX_BACKLOG_EVENTS, {
    readRedis: async () => (await readBacklog(redis, addresses, now)).items,
    readInbox: async () => (await rpc('inbox_backlog', {}))[0]?.events ?? 0,
  })
  const refused = metrics.counter('tollgate_events_refused_total', 'Events refused since too many wait already')
  metrics.gauge('tollgate_events_backlog_ratio', 'Accepted events that wait, as part of MAX_BACKLOG_EVENTS', {
    collect: (gauge) => gauge.set(guard.waiting() / config.MAX_BACKLOG_EVENTS),
  })
  let reading: Promise<void> | undefined
  const timer = setInterval(() => {
    reading ??= guard.refresh().finally(() => {
      reading = undefined
    })
  }, BACKLOG_INTERVAL_MS)
  phases.add('close', 'backlog guard', 1_500, () => {
    clearInterval(timer)
    return reading
  })
  return (events) => {
    try {
      return guard.enter(events)
    } catch (error) {
      refused.inc(events)
      throw error
    }
  }
}

/** `Prefer: wait`; a shutdown ends the waiting, and the request is answered 202. */
function openWaiter(
  { config, phases, stopping }: TokenApiOptions,
  { waiting, onError }: ReturnType<typeof openConnections>,
): WaitForResult {
  const waiter = createResultWaiter('usage-events', { connection: waiting, shards: config.SHARDS, onError })
  phases.add('drain', 'waiting requests', 1_500, waiter.close)
  return async (jobId, shard, ttlMs) =>
    stopping.aborted ? { status: 'timeout' } : waiter.waitForResult(jobId, shard, ttlMs)
}

function wakeEnforcer(redis: Redis, newId: () => string, onError: (error: unknown) => void) {
  const evaluations = createProducer('quota-evaluations', { connection: redis, shards: 1 })
  return async (organizationId: string): Promise<void> => {
    // keepLastIfActive: a wake-up during an evaluation runs after it and is not lost.
    const deduplication = { id: organizationId, keepLastIfActive: true }
    const job = { v: 1, organization_id: organizationId, reason: 'limit_changed' } as const
    // The enforcer's sweep finds the change all the same.
    await evaluations.add(job, { jobId: newId(), deduplication }).catch(onError)
  }
}

function openPositionsOver(
  { config, phases, now }: TokenApiOptions,
  { positionsSubscriber, redis, onError }: ReturnType<typeof openConnections>,
): Positions {
  const namespace = config.REDIS_NAMESPACE
  const positions = openPositions({ subscriber: positionsSubscriber, redis, namespace, onError, now })
  phases.add('close', 'positions', 100, positions.stop)
  return positions
}
