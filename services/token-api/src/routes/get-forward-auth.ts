import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { explainRefusal } from '../gate/explain-refusal.ts'
import { forProxy } from '../plugins/security.ts'
import { type CheckVisitor, visitorHeaders } from '../proxy/check-visitor.ts'
import { sendRefusal } from '../proxy/render-refusal.ts'
import type { Positions } from '../quota/open-positions.ts'
import { refuseWithPosition } from '../quota/refuse-with-position.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the routes need. */
export interface GetForwardAuth {
  readonly checkVisitor: CheckVisitor
  readonly showPosition: Positions['show']
  /** Whom a refused user may ask, beside the own administrator. */
  readonly contact: string | undefined
}

/**
 * `GET /v1/forward-auth`: whether a request may pass the proxy, as status and headers; and `GET /v1/forward-auth/page`,
 * which says to a person why not. Both look at `Cookie` and `Authorization` alone: what else a request says of itself
 * (its address, its method, forwarded headers) comes from whoever sent it.
 */
export function getForwardAuth(app: App, { checkVisitor, showPosition, contact }: GetForwardAuth): void {
  const check = ({ headers: { cookie, authorization } }: FastifyRequest) => checkVisitor({ cookie, authorization })
  const passed = {
    200: {
      description: 'May pass: X-Tenant-Id and X-Tollgate-* say who it is',
      content: { 'text/plain': { schema: z.literal('') } },
    },
  }
  const schema = {
    summary: 'Whether a request may pass the proxy (nginx auth_request)',
    security: bearer,
    response: { ...passed, ...problems(401, 403, 503) },
  }
  app.get('/v1/forward-auth', { schema }, async (request, reply) => {
    const verdict = await check(request)
    if ('refusal' in verdict) throw refuseWithPosition(verdict.refusal, reply, showPosition)
    showPosition(reply, verdict.visitor.organization.id)
    // Proxies alone read a yes; a no they may hand on to a browser.
    return forProxy(reply).headers(visitorHeaders(verdict.visitor)).send('')
  })

  const pageSchema = { summary: 'Why a request may not pass the proxy, for people', response: problems(401, 403, 503) }
  app.get('/v1/forward-auth/page', { schema: pageSchema }, async (request, reply) => {
    const verdict = await check(request)
    const refusal = 'refusal' in verdict ? verdict.refusal : ({ reason: 'gate_unavailable' } as const)
    return sendRefusal(explainRefusal(refusal), request, reply, contact)
  })
}
