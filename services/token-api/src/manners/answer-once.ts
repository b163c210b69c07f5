import { hash, randomBytes } from 'node:crypto'
import { ProblemError } from '@tollgate/shared/contracts'
import type { FastifyReply, FastifyRequest, onSendAsyncHookHandler, preHandlerAsyncHookHandler } from 'fastify'
import { type CallerAccess, identifyCaller } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { readIdempotencyKey } from '../reservations/read-idempotency-key.ts'
import type { App } from '../routes/typed-app.ts'
import { type Act, type ActOf, newAct, repeatAct } from './act.ts'
import { isInterim, takesIdempotencyKey } from './route-manners.ts'
import type { AnswerSeal } from './seal-answer.ts'

/** What answering once stands on. */
export interface AnswerOnceOptions {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'beginIdempotent' | 'finishIdempotent'>
  readonly seal: AnswerSeal
  readonly newId: () => string
}

// A request that has not ended by then has died with its process.
const LEASE_SECONDS = 30
const KEEP_SECONDS = 86_400
const SEED_BYTES = 32

interface Identity {
  readonly caller: string
  readonly key: string
}

/**
 * `Idempotency-Key` on the writes that are not idempotent by nature: repeated by the same caller within a day, the same
 * request gets the same answer and does nothing. A request that died between its act and its answer, or of which we do not
 * know whether it acted, is made again, with the same ids and secrets, so that the act finds itself done. Must be called before the routes are added.
 */
export function answerOnce(app: App, options: AnswerOnceOptions): ActOf {
  const begun = new WeakMap<
    FastifyRequest,
    { readonly identity: Identity; readonly attempt: number; readonly act: Act }
  >()

  const begin: preHandlerAsyncHookHandler = async (request, reply) => {
    const key = readIdempotencyKey(request.headers['idempotency-key'])
    if (key === undefined) return
    // Keys of one caller say nothing to another; and who may not even call gets no look at kept answers.
    const { actor } = await identifyCaller(request.headers.authorization, options.access)
    const identity = { caller: actor, key }
    const limits = { lease_seconds: LEASE_SECONDS, keep_seconds: KEEP_SECONDS }
    const seed = options.seal.seal(randomBytes(SEED_BYTES).toString('base64'), nameOf(identity))
    const asked = { ...identity, ...limits, seed, fingerprint: fingerprintOf(request) }
    const found = await options.store.beginIdempotent(asked)
    if (found.outcome === 'begun') {
      // Of the first try, if this is not it.
      const kept = open(found.seed ?? seed, identity, options)
      begun.set(request, { identity, attempt: found.attempt ?? 1, act: repeatAct(Buffer.from(kept, 'base64')) })
    } else return replay(found, identity, reply, options)
  }

  const finish: onSendAsyncHookHandler = async (request, reply, payload) => {
    const own = begun.get(request)
    if (own === undefined) return payload
    begun.delete(request)
    const { identity, attempt } = own
    const text = payload ?? '' // an answer without content
    const fate = fateOf(reply.statusCode, request.routeOptions.url)
    const isFinal = typeof text === 'string' && fate === 'kept'
    // A browser that has not seen the answer has not got its cookie either.
    const parts = [contentTypeOf(reply), text, reply.getHeader('set-cookie')]
    const answer = isFinal ? options.seal.seal(JSON.stringify(parts), nameOf(identity)) : null
    // The act is done: that its answer could not be kept must not turn it into a failure.
    const status = isFinal ? reply.statusCode : null
    const result = { ...identity, attempt, status, answer, nothing_done: fate === 'forgotten' }
    await options.store.finishIdempotent(result).catch((error: unknown) => {
      request.log.error({ err: error, request_id: request.id }, 'an answer could not be kept for repetitions')
    })
    return payload
  }

  // To the routes that have a use for it: the others would wait for a hook that has nothing to do.
  app.addHook('onRoute', (route) => {
    if (!takesIdempotencyKey(String(route.method), route.url)) return
    route.preHandler = [begin, ...[route.preHandler ?? []].flat()]
    route.onSend = [...[route.onSend ?? []].flat(), finish]
  })
  return (request) => begun.get(request)?.act ?? newAct(options.newId)
}

function replay(
  found: Awaited<ReturnType<Store['beginIdempotent']>>,
  identity: Identity,
  reply: FastifyReply,
  options: AnswerOnceOptions,
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
  const [type, body, cookie] = JSON.parse(open(found.answer, identity, options))
  if (typeof cookie === 'string') reply.header('set-cookie', cookie)
  return reply.code(found.status).type(String(type)).header('idempotency-replayed', 'true').send(String(body))
}

/** What was kept of a request. @throws ProblemError `conflict`: rather no answer than a second act */
function open(sealed: string, identity: Identity, { seal }: AnswerOnceOptions): string {
  const text = seal.open(sealed, nameOf(identity))
  if (text !== undefined) return text
  throw new ProblemError(
    'conflict',
    'What was kept under this Idempotency-Key cannot be read any more: look what it made.',
    {
      extensions: { reason: 'answer_unreadable' },
    },
  )
}

/**
 * What becomes of an answer. One that a repetition may well change is not kept. After a refusal for a reason that passes
 * nothing is left of the request; after a fault of ours the act may be done all the same, as when Postgres is lost after
 * its commit, and a repetition must make the same.
 */
function fateOf(status: number, url: string | undefined): 'kept' | 'forgotten' | 'repeatable' {
  if (status >= 500 || isInterim(status, url)) return 'repeatable'
  return [401, 403, 408, 409, 429].includes(status) ? 'forgotten' : 'kept'
}

function fingerprintOf({ method, url, body }: FastifyRequest): string {
  return hash('sha256', JSON.stringify([method, url, body ?? null]))
}

const contentTypeOf = (reply: FastifyReply): string => String(reply.getHeader('content-type') ?? 'application/json')
const nameOf = ({ caller, key }: Identity): string => `${caller}\n${key}`
