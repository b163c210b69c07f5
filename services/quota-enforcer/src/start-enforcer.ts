import type { Enforcement } from '@tollgate/shared/contracts'
import type { Check } from '@tollgate/shared/lifecycle'
import type { Logger } from '@tollgate/shared/logging'
import { type Backlog, type Consumer, createConsumer } from '@tollgate/shared/queues'
import { createLiveNotices, type Rpc } from '@tollgate/shared/store'
import type { SecretBox } from '@tollgate/shared/webhooks'
import type { Redis } from 'ioredis'
import type { EnforcementMode } from './config.ts'
import { createChecks } from './create-checks.ts'
import { startDelivering } from './deliver-webhooks.ts'
import { createEvaluate, type Evaluate } from './evaluate.ts'
import { handleEvaluation } from './handle-evaluation.ts'
import { startKeepingPositions } from './keep-positions.ts'
import type { EnforcerMetrics } from './metrics.ts'
import { createPublish, type Publish } from './publish.ts'
import { rebuildRedis } from './rebuild-redis.ts'
import { type Repetition, startRepeating } from './repeat.ts'
import { createSendWebhook, type Resolve } from './send-webhook.ts'
import { sweep } from './sweep.ts'

/** What the enforcer stands on; connections stay the caller's to close. */
export interface EnforcerDependencies {
  readonly rpc: Rpc
  /** From `createProducerConnection`: publishing fails fast. */
  readonly redis: Redis
  /** From `createWorkerConnection`: the queue waits for Redis. */
  readonly queueConnection: Redis
  readonly namespace: string
  readonly sweepIntervalMs: number
  /** Absent: what the database says stays. */
  readonly mode?: EnforcementMode | undefined
  /** How often Redis is compared with Postgres when nothing happens. Default 10 s. */
  readonly rebuildIntervalMs?: number
  /** How often a slice of organizations is audited, and how long a copy may be behind. Default 1 s and 5 s. */
  readonly auditIntervalMs?: number
  readonly webhooks: WebhookSettings
  readonly metrics: EnforcerMetrics
  readonly logger: Logger
  readonly now: () => number
}

/** How notifications are sent; what is absent has a default of production. */
export interface WebhookSettings {
  readonly allowPrivate: boolean
  /** Opens the secrets of endpoints. */
  readonly box: SecretBox
  readonly intervalMs?: number
  readonly timeoutMs?: number
  readonly leaseMs?: number
  readonly resolve?: Resolve
}

/** A running enforcer; stop the consumer first, then the loops. */
export interface Enforcer {
  readonly checks: Readonly<Record<string, Check>>
  /** What stands in the queue; rejects while Redis is away. */
  backlog(): Promise<Backlog>
  stopConsuming(timeoutMs: number): Promise<void>
  stopSweeping(): Promise<void>
}

const REBUILD_INTERVAL_MS = 10_000

/** Starts consumer, sweep and rebuild. None of them needs Redis or Postgres to be there yet. */
export function startEnforcer(dependencies: EnforcerDependencies): Enforcer {
  const { rpc, redis, sweepIntervalMs, logger, metrics, now } = dependencies
  const publish = countFailures(createPublish(redis, dependencies.namespace), metrics)
  const announce = async (state: Enforcement): Promise<void> => {
    try {
      await publish([state])
    } catch (error) {
      logger.warn({ err: error, organization_id: state.organization_id }, 'state not published; the rebuild brings it')
    }
  }
  const positions = startKeepingPositions(dependencies)
  const live = createLiveNotices({
    rpc,
    monotonicNow: () => performance.now(),
    onError: (error) => logger.warn({ err: error }, 'open dashboards were not told; they ask by themselves'),
  })
  const decide = createEvaluate({ rpc, announce, metrics, logger })
  // An evaluation may come of a new limit or period, which the published position says too, and where the next one is due.
  const evaluate: Evaluate = async (organizationId, trigger) => {
    const outcome = await decide(organizationId, trigger)
    positions.publish(organizationId)
    live.tell([organizationId])
    return outcome
  }
  const sweeping = startSweeping(dependencies, evaluate)
  const rebuilding = startRebuilding(dependencies, publish)
  const consumer = startConsuming(dependencies, evaluate)
  const delivering = startSending(dependencies)
  const maxSweepAgeMs = Math.max(10_000, 5 * sweepIntervalMs)
  return {
    checks: createChecks({
      rpc,
      redis,
      backlog: consumer.backlog,
      lastSweepAt: sweeping.lastSuccessAt,
      maxSweepAgeMs,
      now,
    }),
    backlog: consumer.backlog,
    stopConsuming: async (timeoutMs) => {
      const end = await consumer.close(timeoutMs)
      if (end === 'abandoned') logger.warn('evaluations under way were abandoned; the sweep takes over')
    },
    stopSweeping: async () => {
      redis.off('ready', rebuilding.wake)
      await Promise.all([sweeping.stop(), rebuilding.stop(), positions.stop(), delivering.stop(), live.stop()])
    },
  }
}

function countFailures(publish: Publish, metrics: EnforcerMetrics): Publish {
  return (states) =>
    publish(states).catch((error: unknown) => {
      metrics.publishFailures.inc()
      throw error
    })
}

function startSweeping(dependencies: EnforcerDependencies, evaluate: Evaluate): Repetition {
  const { rpc, sweepIntervalMs, metrics, logger, now } = dependencies
  const sweepDependencies = {
    rpc,
    evaluate,
    onHealed: (reason: string) => metrics.healed.inc({ reason }),
    onFault: (error: unknown, organizationId: string) =>
      logger.warn({ err: error, organization_id: organizationId }, 'evaluation failed; it stays due'),
  }
  let after: string | undefined
  let isModeSet = dependencies.mode === undefined
  return startRepeating({
    run: async (signal) => {
      if (!isModeSet) await setMode(rpc, dependencies.mode)
      isModeSet = true
      after = await sweep(sweepDependencies, signal, after)
      if (after !== undefined) return 0
      // The end of a period, a grant or a grace is met at its instant, and not by the next sweep.
      const [next] = await rpc('next_due_evaluation', {})
      return typeof next?.wait_ms === 'number' ? Math.ceil(next.wait_ms) : undefined
    },
    intervalMs: sweepIntervalMs,
    onError: (error) => logger.warn({ err: error }, 'sweep failed'),
    now,
  })
}

function startSending({ rpc, webhooks, metrics, logger, now }: EnforcerDependencies): Repetition {
  const { allowPrivate, box, intervalMs = 500, timeoutMs = 10_000, leaseMs = 30_000, resolve } = webhooks
  return startDelivering({
    ...{ rpc, box, metrics, now, intervalMs, leaseMs, random: Math.random },
    send: createSendWebhook({ allowPrivate, timeoutMs, now, ...(resolve ? { resolve } : {}) }),
    onResealed: (resealed) => logger.info({ resealed }, 'webhook secrets were sealed anew with the first key'),
    onError: (error) => logger.warn({ err: error }, 'notifications were not sent; they stay due'),
  })
}

async function setMode(rpc: Rpc, mode: EnforcementMode | undefined): Promise<void> {
  if (mode === undefined) return
  await rpc('set_enforcement_control', { change: { mode, actor: 'quota-enforcer', reason: 'ENFORCEMENT_MODE' } })
}

function startRebuilding(dependencies: EnforcerDependencies, publish: Publish): Repetition {
  const { rpc, redis, rebuildIntervalMs = REBUILD_INTERVAL_MS, metrics, logger, now } = dependencies
  const onEpoch = (epoch: string): void => {
    metrics.epochs.inc()
    logger.error({ epoch }, 'Postgres was older than what had been published: a new epoch, older tokens are superseded')
  }
  const rebuilding = startRepeating({
    run: async () => {
      // The event below starts the rebuild when Redis comes.
      if (redis.status !== 'ready') return undefined
      const healed = await rebuildRedis({ rpc, publish, redis, namespace: dependencies.namespace, onEpoch })
      if (healed === 0) return undefined
      metrics.healed.inc({ reason: 'redis' }, healed)
      logger.info({ healed }, 'Redis brought up to date from Postgres')
      return undefined
    },
    intervalMs: rebuildIntervalMs,
    onError: (error) => logger.warn({ err: error }, 'Redis could not be compared with Postgres'),
    now,
  })
  // A Redis that was away may have come back empty or old.
  redis.on('ready', rebuilding.wake)
  return rebuilding
}

function startConsuming(dependencies: EnforcerDependencies, evaluate: Evaluate): Consumer {
  const { queueConnection, metrics, logger, now } = dependencies
  return createConsumer('quota-evaluations', (job) => handleEvaluation(job, evaluate), {
    connection: queueConnection,
    shards: 1,
    onError: (error) => logger.warn({ err: error }, 'queue quota-evaluations'),
    onExhausted: ({ jobId, reason, attempts }) => {
      metrics.deadLetters.inc()
      logger.error({ job_id: jobId, reason, attempts }, 'wake-up given up; the sweep takes over')
    },
    now,
  })
}
