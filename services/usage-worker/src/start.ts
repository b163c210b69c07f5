import { setTimeout as delay } from 'node:timers/promises'
import { storeSettings } from '@tollgate/shared/config'
import type { UsageEventsText } from '@tollgate/shared/contracts'
import { createOpsServer, type StartContext } from '@tollgate/shared/lifecycle'
import type { Logger } from '@tollgate/shared/logging'
import { createMetrics } from '@tollgate/shared/metrics'
import {
  createPositionMarks,
  createProducer,
  createProducerConnection,
  createWorkerConnection,
  type DeadLetter,
  disconnectAll,
} from '@tollgate/shared/queues'
import { createLiveNotices, openStore, type Rpc } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import { createAnnounce } from './announce.ts'
import { defineBacklogGauges } from './backlog-gauges.ts'
import { commitJobs } from './commit.ts'
import type { UsageWorkerConfig } from './config.ts'
import { consumeUsageEvents, URGENT_IN_FLIGHT } from './consume.ts'
import { keepInboxDrained } from './drain-inbox.ts'
import { keepBooks } from './keep-books.ts'
import { keepSessionsClosed } from './keep-sessions-closed.ts'
import { defineUsageMetrics, type UsageMetrics } from './metrics.ts'
import { createBacklogReader, type ReadUsageBacklog } from './read-usage-backlog.ts'
import { checkProgress } from './readiness.ts'
import { keepRedisWatched } from './watch-redis.ts'

interface UsageWorkerOptions extends StartContext {
  readonly config: UsageWorkerConfig
  readonly logger: Logger
  readonly now: () => number
  readonly newId: () => string
}

// Inbox, partitions, dead letters and readiness: beside the transactions that record.
const SPARE_CONNECTIONS = 2
const DRAIN_TIMEOUT_MS = 6_000
const CONNECT_RETRY_MS = 250
/** Shards that are read whatever SHARDS says: four were the default before, and what was accepted then is recorded too. */
const LEAST_SHARDS_READ = 4
/** First key of the advisory locks that bound the connections of all usage workers. */
const SLOT_KIND = 7_410_001

/** Opens everything that the usage worker needs and starts consuming. */
export async function startUsageWorker(options: UsageWorkerOptions): Promise<void> {
  const { config, logger, phases, stopping, now } = options
  const onError = (error: unknown): void => logger.warn({ err: error }, 'a dependency is away')
  const metrics = createMetrics({ service: 'usage-worker' })
  const usage = defineUsageMetrics(metrics)

  const store = openStore(storeSettings(config), {
    applicationName: 'tollgate-usage-worker',
    maxConnections: config.BATCHES_IN_FLIGHT + URGENT_IN_FLIGHT + SPARE_CONNECTIONS,
    slots: { kind: SLOT_KIND, limit: config.MAX_WORKER_CONNECTIONS },
    statementTimeoutMs: 15_000,
    onError,
  })
  phases.add('close', 'store', 1_000, store.close)

  const producing = openProducerConnection(options, onError)
  const wake = openAnnounce(options, producing, usage, onError)
  const live = createLiveNotices({ rpc: store.rpc, monotonicNow: () => performance.now(), onError })
  phases.add('drain', 'live notices', 1_000, live.stop)
  const announce: typeof wake = (totals) => {
    wake(totals)
    live.tell(totals.map((total) => total.organization_id))
  }
  const connection = createWorkerConnection(config.REDIS_URL, { onError, name: 'usage-worker' })
  phases.add('close', 'redis', 500, () => disconnectAll(connection))
  const commit = (jobs: UsageEventsText[]) =>
    commitJobs(jobs, { rpc: store.rpc, metrics: usage, announce, now, stopping })
  const limits = {
    maxEvents: config.BATCH_MAX_EVENTS,
    maxDelayMs: config.BATCH_MAX_DELAY_MS,
    inFlight: config.BATCHES_IN_FLIGHT,
  }
  const consumer = consumeUsageEvents(commit, limits, {
    connection,
    shards: Math.max(config.SHARDS, LEAST_SHARDS_READ),
    onError,
    startWhen: untilConnected(store.rpc, stopping),
    onExhausted: (letter) => keepDeadLetter(store.rpc, usage, letter),
  })
  phases.add('drain', 'usage-events', DRAIN_TIMEOUT_MS, () => consumer.close(DRAIN_TIMEOUT_MS - 500))

  let drainedAt = now()
  const onProgress = () => {
    drainedAt = now()
  }
  const drained = keepInboxDrained(
    { rpc: store.rpc, metrics: usage, announce, onError, onProgress },
    config.INBOX_POLL_MS,
    stopping,
  )
  const booksKept = keepBooks({ ...options, metrics, rpc: store.rpc, onError })
  const sessionsClosed = keepSessionsClosed({
    rpc: store.rpc,
    metrics: usage,
    idleSeconds: config.SESSION_IDLE,
    onError,
    stopping,
  })
  const readBacklog = createBacklogReader(consumer.backlog, store.rpc, now)
  const watched = watchRedis(options, producing, store.rpc, usage, readBacklog)
  phases.add('drain', 'loops', 2_000, () => Promise.all([drained, booksKept, sessionsClosed, watched]))

  defineBacklogGauges(metrics, readBacklog)
  const checks = {
    postgres: () => store.rpc('tollgate_ping', {}),
    redis: () => connection.ping(),
    progress: checkProgress({ readBacklog, lastJobAt: consumer.lastProgressAt, lastDrainAt: () => drainedAt, now }),
  }
  const ops = createOpsServer({ host: config.HOST, port: config.PORT, checks, metrics, stopping })
  phases.add('close', 'ops server', 500, ops.close)
  logger.info({ address: await ops.listen() }, 'operations server listens')
}

/** Resolves with the first answer of Postgres: a worker without a connection would take jobs that others could record. */
async function untilConnected(rpc: Rpc, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    const isConnected = await rpc('tollgate_ping', {}).then(
      () => true,
      () => false,
    )
    if (isConnected) return
    await delay(CONNECT_RETRY_MS, undefined, { signal: stopping }).catch(() => undefined)
  }
}

function openProducerConnection({ config, phases }: UsageWorkerOptions, onError: (error: unknown) => void): Redis {
  const connection = createProducerConnection(config.REDIS_URL, { onError, name: 'usage-worker-announce' })
  phases.add('close', 'announce connection', 500, () => connection.disconnect())
  return connection
}

/** Redis that has lost something is logged and counted, with what waited in it when last looked at. */
function watchRedis(
  { logger, newId, stopping }: UsageWorkerOptions,
  redis: Redis,
  rpc: Rpc,
  usage: UsageMetrics,
  readBacklog: ReadUsageBacklog,
): Promise<void> {
  let waited = 0
  const look = async () => {
    waited = (await readBacklog()).queue?.items ?? waited
  }
  const onLoss = () => {
    usage.redisRollbacks.inc()
    usage.redisGap.inc(waited)
    logger.error({ waited }, 'Redis has lost what it held: clients must repeat what was answered 202')
    waited = 0
  }
  const options = { redis, rpc, newId, onLoss, onAdvance: () => void look().catch(() => undefined) }
  return keepRedisWatched(options, stopping)
}

function openAnnounce(
  { config, phases, newId }: UsageWorkerOptions,
  connection: Redis,
  usage: UsageMetrics,
  onError: (e: unknown) => void,
) {
  const evaluations = createProducer('quota-evaluations', { connection, shards: config.SHARDS })
  phases.add('close', 'quota-evaluations', 500, evaluations.close)
  const marks = createPositionMarks({ redis: connection, namespace: config.REDIS_NAMESPACE, onError })
  phases.add('drain', 'marks', 100, marks.stop)
  const wake = createAnnounce({
    evaluations,
    newId,
    onFailure: (error) => {
      usage.announceFailures.inc()
      onError(error)
    },
  })
  return (totals: Parameters<typeof wake>[0]): void => {
    wake(totals)
    marks.mark(totals.map((total) => total.organization_id))
  }
}

async function keepDeadLetter(rpc: Rpc, usage: UsageMetrics, { queue, reason, data }: DeadLetter): Promise<void> {
  usage.deadLetters.inc()
  // It may be anything, and Postgres takes no NUL.
  const letter = { queue, reason: 'job_failed', detail: reason, payload: data.replaceAll('\u0000', '\ufffd') }
  await rpc('record_dead_letters', { batch: { letters: [letter] } })
}
