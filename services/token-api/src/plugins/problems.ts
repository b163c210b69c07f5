import { PROBLEMS, type ProblemCode, ProblemError } from '@tollgate/shared/contracts'
import { BackpressureError, QueueError } from '@tollgate/shared/queues'
import { StoreError } from '@tollgate/shared/store'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import type { App } from '../routes/typed-app.ts'

/** Turns every error and every unknown route into problem+json (RFC 9457). */
export function answerProblems(app: App): void {
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new ProblemError('not-found', 'There is no such route.'), request, reply),
  )
}

/** Answers one error; 5xx without what is inside. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = readProblem(error, request)
  const { status } = PROBLEMS[problem.code]
  if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', problem.retryAfterSeconds)
  if (status === 401) reply.header('www-authenticate', challenge(problem))
  return reply.code(status).type('application/problem+json').send(JSON.stringify(problem.toProblem()))
}

/** What an error is to a client. A fault of ours is logged. */
export function readProblem(error: unknown, request: FastifyRequest): ProblemError {
  const problem = toProblem(error)
  if (PROBLEMS[problem.code].status >= 500)
    request.log.error({ err: error, route: request.routeOptions?.url, request_id: request.id }, problem.message)
  return problem
}

// RFC 6750 3.1: a request without a credential gets no error code.
function challenge({ extensions }: ProblemError): string {
  return extensions.reason === 'missing' ? 'Bearer realm="tollgate"' : 'Bearer realm="tollgate", error="invalid_token"'
}

function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  if (hasZodFastifySchemaValidationErrors(error)) return validationProblem(error)
  const isAway =
    (error instanceof StoreError && error.retryable) ||
    (error instanceof QueueError && error.code !== 'invalid') ||
    error instanceof BackpressureError
  if (isAway) {
    const detail = 'A service that this needs does not answer at present.'
    return new ProblemError('unavailable', detail, { cause: error, retryAfterSeconds: 1 })
  }
  return fastifyProblem(error) ?? new ProblemError('internal', 'The request could not be handled.', { cause: error })
}

// Fastify's names of the parts of a request, where they are not a reader's.
const PARTS: Readonly<Record<string, string>> = { body: 'body', params: 'path', querystring: 'query' }

function validationProblem(error: {
  validation: { instancePath: string; message?: string }[]
  validationContext?: string
}) {
  const errors = error.validation.map(({ instancePath, message }) => ({
    pointer: `#${instancePath}`,
    detail: message ?? 'is not valid',
  }))
  const detail = `The ${PARTS[error.validationContext ?? ''] ?? 'request'} does not have the expected shape; see "errors".`
  return new ProblemError('bad-request', detail, { extensions: { errors } })
}

const CODES: Readonly<Record<number, ProblemCode>> = {
  404: 'not-found',
  409: 'conflict',
  413: 'payload-too-large',
  415: 'unsupported-media-type',
  429: 'too-many-requests',
  503: 'unavailable',
}

/** Fastify's own 4xx errors say what is wrong with the request, and nothing of ours. */
function fastifyProblem(error: unknown): ProblemError | undefined {
  if (!(error instanceof Error) || !isFastifyError(error)) return undefined
  const { statusCode = 500 } = error
  const code = CODES[statusCode] ?? (statusCode >= 400 && statusCode < 500 ? 'bad-request' : undefined)
  const detail =
    code === 'unsupported-media-type'
      ? 'A body of this content type is not read here: send JSON as "content-type: application/json".'
      : error.message
  return code && new ProblemError(code, detail, { cause: error })
}

function isFastifyError(error: Error): error is FastifyError {
  return 'code' in error && typeof error.code === 'string' && error.code.startsWith('FST_')
}
