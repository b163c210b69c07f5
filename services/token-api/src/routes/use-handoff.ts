import { ProblemError } from '@tollgate/shared/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { parseFormBodies } from '../plugins/form-body.ts'
import { readProblem } from '../plugins/problems.ts'
import { sendRefusal } from '../proxy/render-refusal.ts'
import { type Embedding, writeSessionCookie } from '../proxy/session-cookie.ts'
import type { Arrival, Traveller } from '../proxy/use-handoff.ts'
import { type App, problems } from './typed-app.ts'

/** What the routes need. */
export interface UseHandoffRoutes {
  readonly useHandoff: (traveller: Traveller) => Promise<Arrival>
  readonly onOutcome: (outcome: Arrival['outcome']) => void
  /** Where a browser goes then: the address of the chat, without the token. */
  readonly libreChatUrl: string
  readonly embedding: Embedding
  readonly contact: string | undefined
  /** Front ends that may post a handoff; none named: any of the chat's own site. */
  readonly origins: readonly string[]
}

const handoff = z.object({ token: z.string().min(1).max(60_000), org: z.string().min(1).max(300) })
const response = {
  303: z.null().describe('To the chat, with the cookie of the session where one was opened'),
  ...problems(400, 403, 413, 415, 503),
}

/**
 * `GET /v1/handoff?token=…&org=…` and the same as a form by `POST`: what the proxy does with a browser that comes from a
 * front end. Whom it lets in the token leaves the address at once; a refusal is shown under
 * the address that was asked for, and sends no referrer.
 */
export function useHandoffRoutes(app: App, dependencies: UseHandoffRoutes): void {
  const { libreChatUrl, embedding, contact } = dependencies
  const answer = async (sent: z.output<typeof handoff>, request: FastifyRequest, reply: FastifyReply) => {
    const isCrossSite =
      embedding === 'same-site' && request.method === 'GET' && request.headers['sec-fetch-site'] === 'cross-site'
    const arrival = await dependencies.useHandoff({ ...sent, cookie: request.headers.cookie, isCrossSite })
    dependencies.onOutcome(arrival.outcome)
    reply.header('referrer-policy', 'no-referrer')
    if ('problem' in arrival) return sendRefusal(arrival.problem, request, reply, contact)
    if (arrival.outcome === 'opened') {
      reply.header('set-cookie', writeSessionCookie(arrival.value, arrival.maxAgeSeconds, embedding))
    }
    return reply.code(303).header('location', libreChatUrl).send()
  }
  // A browser shows what is answered here, whatever goes wrong.
  const errorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    sendRefusal(readProblem(error, request), request, reply, contact)
  const summary = 'Use a handoff: a session at the proxy, and the way into the chat'
  const schema = { summary, querystring: handoff, response }
  app.get('/v1/handoff', { schema, errorHandler }, async (request, reply) => answer(request.query, request, reply))
  app.register(async (scope: App) => {
    parseFormBodies(scope)
    const schema = { summary, consumes: ['application/x-www-form-urlencoded'], body: handoff, response }
    scope.post('/v1/handoff', { schema, errorHandler }, async (request, reply) => {
      refuseStrangers(request.headers, dependencies)
      return answer(request.body, request, reply)
    })
  })
}

/**
 * A form that any page could post would sign its visitors in as somebody else (login CSRF, RFC 6819 4.4.1.8). One of another
 * site brings no SameSite=Lax cookie along, so that nobody could tell whose session it takes the place of.
 */
function refuseStrangers(headers: FastifyRequest['headers'], dependencies: UseHandoffRoutes): void {
  const { origins, libreChatUrl, embedding } = dependencies
  const { origin, 'sec-fetch-site': site } = headers
  if (origin !== undefined && (origins.includes(origin) || origin === new URL(libreChatUrl).origin)) return
  const isBlind = embedding === 'same-site' && site === 'cross-site'
  if (!isBlind && (origin === undefined || origins.length === 0)) return
  throw new ProblemError('handoff-refused', 'This site may not open the chat.', {
    extensions: { reason: 'wrong_origin' },
  })
}
