import { hash } from 'node:crypto'
import { ProblemError } from '@tollgate/shared/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type CallerAccess, identifyCaller } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { readIdempotencyKey } from '../reservations/read-idempotency-key.ts'
import type { App } from '../routes/typed-app.ts'
import { takesIdempotencyKey } from './route-manners.ts'
import type { AnswerSeal } from './seal-answer.ts'

/** What answering once stands on. */
export interface AnswerOnceOptions {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'beginIdempotent' | 'finishIdempotent'>
  readonly seal: AnswerSeal
}

// A request that has not ended by then has died with its process.
const LEASE_SECONDS = 30
const KEEP_SECONDS = 86_400

interface Begun {
  readonly caller: string
  readonly key: string
}

/**
 * `Idempotency-Key` on the writes that are not idempotent by nature: repeated by the same caller within a day, the same
 * request gets the same answer and does nothing. Must be called before the routes are added.
 */
export function answerOnce(app: App, options: AnswerOnceOptions): void {
  const begun = new WeakMap<FastifyRequest, Begun>()

  app.addHook('preHandler', async (request, reply) => {
    if (!takesIdempotencyKey(request.method, request.routeOptions.url)) return
    const key = readIdempotencyKey(request.headers['idempotency-key'])
    if (key === undefined) return
    // Keys of one caller say nothing to another; and who may not even call gets no look at kept answers.
    const { actor } = await identifyCaller(request.headers.authorization, options.access)
    const identity = { caller: actor, key }
    const limits = { lease_seconds: LEASE_SECONDS, keep_seconds: KEEP_SECONDS }
    const found = await options.store.beginIdempotent({ ...identity, ...limits, fingerprint: fingerprintOf(request) })
    if (found.outcome === 'begun') begun.set(request, identity)
    else return replay(found, identity, reply, options)
  })

  app.addHook('onSend', async (request, reply, payload) => {
    const identity = begun.get(request)
    if (identity === undefined) return payload
    begun.delete(request)
    const text = payload ?? '' // an answer without content
    const isFinal = typeof text === 'string' && isKept(reply.statusCode)
    const answer = isFinal ? options.seal.seal(JSON.stringify([contentTypeOf(reply), text]), nameOf(identity)) : null
    // The act is done: that its answer could not be kept must not turn it into a failure.
    const result = { ...identity, status: isFinal ? reply.statusCode : null, answer }
    await options.store.finishIdempotent(result).catch((error: unknown) => {
      request.log.error({ err: error, request_id: request.id }, 'an answer could not be kept for repetitions')
    })
    return payload
  })
}

function replay(
  found: Awaited<ReturnType<Store['beginIdempotent']>>,
  identity: Begun,
  reply: FastifyReply,
  { seal }: AnswerOnceOptions,
): FastifyReply {
  if (found.outcome === 'mismatch') {
    throw new ProblemError('idempotency-key-reused', 'This Idempotency-Key was used for another request.')
  }
  if (found.outcome !== 'answered' || found.answer === null || found.status === null) {
    throw new ProblemError('conflict', 'The first request with this Idempotency-Key is still under way.', {
      extensions: { reason: 'in_progress' },
      retryAfterSeconds: 1,
    })
  }
  const [type, body] = JSON.parse(seal.open(found.answer, nameOf(identity)))
  return reply.code(found.status).type(String(type)).header('idempotency-replayed', 'true').send(String(body))
}

// What a repetition may well change is not kept: faults of ours, and refusals for reasons that pass.
function isKept(status: number): boolean {
  return status < 500 && ![401, 403, 408, 409, 429].includes(status)
}

function fingerprintOf({ method, url, body }: FastifyRequest): string {
  return hash('sha256', JSON.stringify([method, url, body ?? null]))
}

const contentTypeOf = (reply: FastifyReply): string => String(reply.getHeader('content-type') ?? 'application/json')
const nameOf = ({ caller, key }: Begun): string => `${caller}\n${key}`
