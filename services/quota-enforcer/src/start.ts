import { storeSettings } from '@tollgate/shared/config'
import { createOpsServer, type StartContext } from '@tollgate/shared/lifecycle'
import type { Logger } from '@tollgate/shared/logging'
import { createMetrics } from '@tollgate/shared/metrics'
import { createProducerConnection, createWorkerConnection, disconnectAll } from '@tollgate/shared/queues'
import { openStore } from '@tollgate/shared/store'
import { createSecretBox } from '@tollgate/shared/webhooks'
import type { QuotaEnforcerConfig } from './config.ts'
import { defineBacklogGauges, defineEnforcerMetrics, defineWebhookGauges } from './metrics.ts'
import { startEnforcer } from './start-enforcer.ts'

interface QuotaEnforcerOptions extends StartContext {
  readonly config: QuotaEnforcerConfig
  readonly logger: Logger
  readonly now: () => number
}

const MAX_CONNECTIONS = 8
const STATEMENT_TIMEOUT_MS = 5_000

/** Opens everything that the quota enforcer needs and starts it; neither Redis nor Postgres has to be there. */
export async function startQuotaEnforcer(options: QuotaEnforcerOptions): Promise<void> {
  const { config, logger, phases, stopping, now } = options
  const onError = (error: unknown): void => logger.warn({ err: error }, 'a dependency is away')
  const metrics = createMetrics({ service: 'quota-enforcer' })

  const store = openStore(storeSettings(config), {
    applicationName: 'tollgate-quota-enforcer',
    maxConnections: MAX_CONNECTIONS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    onError,
  })
  phases.add('close', 'store', 1_000, store.close)
  const redis = createProducerConnection(config.REDIS_URL, { onError, name: 'quota-enforcer' })
  phases.add('close', 'redis', 500, () => disconnectAll(redis))
  const queueConnection = createWorkerConnection(config.REDIS_URL, { onError, name: 'quota-enforcer-queue' })
  phases.add('close', 'queue connection', 500, () => disconnectAll(queueConnection))

  const enforcer = startEnforcer({
    rpc: store.rpc,
    redis,
    queueConnection,
    namespace: config.REDIS_NAMESPACE,
    sweepIntervalMs: config.SWEEP_INTERVAL_MS,
    mode: config.ENFORCEMENT_MODE,
    webhooks: { allowPrivate: config.WEBHOOKS_ALLOW_PRIVATE, box: createSecretBox(config.WEBHOOK_SECRET_KEYS) },
    metrics: defineEnforcerMetrics(metrics),
    logger,
    now,
  })
  phases.add('drain', 'quota-evaluations', 3_500, () => enforcer.stopConsuming(3_000))
  phases.add('drain', 'sweep', 3_000, enforcer.stopSweeping)

  defineBacklogGauges(metrics, enforcer.backlog)
  defineWebhookGauges(metrics, async () => (await store.rpc('webhook_backlog', {}))[0])
  const ops = createOpsServer({ host: config.HOST, port: config.PORT, checks: enforcer.checks, metrics, stopping })
  phases.add('close', 'ops server', 500, ops.close)
  logger.info({ address: await ops.listen() }, 'operations server listens')
}
