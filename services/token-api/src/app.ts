import { type Check, opsRoutes } from '@tollgate/shared/lifecycle'
import type { Logger } from '@tollgate/shared/logging'
import type { Metrics } from '@tollgate/shared/metrics'
import { type FastifyBaseLogger, fastify, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { addRoutes, openMemories } from './add-routes.ts'
import type { Config } from './config.ts'
import { type LimitOptions, limitRates } from './manners/limit-rates.ts'
import { proveCallers } from './manners/prove-callers.ts'
import { JSON_LIMIT_BYTES, parseJsonBodies, refuseOtherEncodings } from './plugins/json-body.ts'
import { documentRoutes } from './plugins/openapi.ts'
import { answerProblems, sendProblem } from './plugins/problems.ts'
import { isLoggingAnswers, logAnswers, markAnswers, takeRequestId } from './plugins/request-ids.ts'
import { secure } from './plugins/security.ts'
import { refuseUnreadable } from './plugins/unreadable-requests.ts'
import type { RouteDependencies } from './route-dependencies.ts'
import type { App } from './routes/typed-app.ts'
import { openHandOver } from './short-way/hand-over.ts'
import { openShortWay } from './short-way/open-short-way.ts'

/** All that the HTTP API stands on. */
export interface AppDependencies extends RouteDependencies {
  readonly config: RouteDependencies['config'] & Pick<Config, 'TRUST_PROXY'>
  readonly logger: Logger
  readonly metrics: Metrics
  readonly checks: Readonly<Record<string, Check>>
  /** Absent: nobody is limited. */
  readonly rates?: LimitOptions
  readonly stopping?: AbortSignal
}

const MAX_HEADER_BYTES = 64 * 1024

/** Builds the HTTP API without listening; it opens nothing. */
export function buildApp(dependencies: AppDependencies): App {
  const { config, logger, newId, checks, metrics, rates, stopping } = dependencies
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // One line a request would cost more than most requests, and its URL may hold a token.
    logController: new LogController({ disableRequestLogging: true }),
    // A child for each request costs as much as an answer from memory: a line names its request itself.
    childLoggerFactory: (shared) => shared,
    // A HEAD of a login would start one.
    exposeHeadRoutes: false,
    genReqId: takeRequestId(newId),
    trustProxy: config.TRUST_PROXY,
    requestTimeout: 15_000,
    bodyLimit: JSON_LIMIT_BYTES,
    // An access token carries the organization's instructions and may be longer than Node's 16 KiB.
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
    clientErrorHandler: refuseUnreadable,
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  refuseOtherEncodings(app)
  app.removeAllContentTypeParsers()
  parseJsonBodies(app, ['application/json'], JSON_LIMIT_BYTES)
  answerProblems(app)
  markAnswers(app)
  logAnswers(app)
  secure(app, config.CORS_ORIGINS)
  const handOver = openHandOver(app)
  const callers = proveCallers()
  if (rates !== undefined) limitRates(app, rates, callers)
  documentRoutes(app)
  const memories = openMemories(dependencies)
  app.register(async (scope: App) => addRoutes(scope, dependencies, memories, callers))
  app.register(opsRoutes, { checks, metrics, ...(stopping ? { stopping } : {}) })
  if (!isLoggingAnswers(app)) openShortWay(app, dependencies, memories, handOver)
  return app
}
