import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../metrics/index.ts'
import { type Check, runChecks } from './run-checks.ts'

/** What the operations routes show. */
export interface OpsOptions {
  /** Name → check; all must pass for the service to be ready. */
  readonly checks: Readonly<Record<string, Check>>
  readonly metrics: Metrics
  /** Not ready from the moment it is aborted, so that a load balancer looks elsewhere. */
  readonly stopping?: AbortSignal
  /** For each check. Default 1 s. */
  readonly checkTimeoutMs?: number
}

/** Fastify plugin with `/livez` (the process answers), `/readyz` (it can do its work) and `/metrics` (Prometheus text). */
export async function opsRoutes(app: FastifyInstance, options: OpsOptions): Promise<void> {
  const { checks, metrics, stopping, checkTimeoutMs = 1_000 } = options

  app.get('/livez', async () => ({ status: 'ok' }))

  app.get('/readyz', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    if (stopping?.aborted) return reply.code(503).send({ status: 'stopping', checks: {} })
    const result = await runChecks(checks, checkTimeoutMs)
    if (result.ok) return { status: 'ok', checks: result.checks }
    return reply.code(503).send({ status: 'unavailable', checks: result.checks })
  })

  app.get('/metrics', async (_request, reply) => {
    reply.type(metrics.registry.contentType)
    return metrics.registry.metrics()
  })
}
