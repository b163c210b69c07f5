import { grantOrder, grantReport, ProblemError, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import type { Store } from '../bind-store.ts'
import { authorizeChange, type QuotaAccess } from '../quota/authorize-quota.ts'
import { overAlready } from '../quota/over-already.ts'
import { reportGrant } from '../quota/report-grant.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostGrants {
  readonly access: QuotaAccess
  readonly store: Pick<Store, 'createGrant'>
  /** Wakes the enforcer; never rejects, since its sweep finds the change all the same. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
}

/** `POST /v1/organizations/:id/grants`: LLM tokens on top of the monthly limit; access comes back at once. */
export function postGrants(app: App, { access, store, wakeEnforcer }: PostGrants): void {
  const schema = {
    summary: 'Grant LLM tokens on top of the monthly limit',
    description: 'Spent soonest expiry first, the monthly limit among them. A repeated idempotency key gives once.',
    security: bearer,
    params: z.object({ id: uuid }),
    body: grantOrder,
    response: {
      200: { description: 'This key was used before: the grant it gave', ...json(grantReport) },
      201: { description: 'Granted', ...json(grantReport) },
      ...problems(400, 401, 403, 404, 409, 413, 415, 503),
    },
  }
  app.post('/v1/organizations/:id/grants', { schema }, async (request, reply) => {
    const { id } = request.params
    const actor = await authorizeChange(request.headers.authorization, id, access)
    const grant = await store.createGrant({ organization_id: id, ...request.body, actor })
    if (grant === undefined) throw new ProblemError('not-found', 'There is no such organization.')
    if (grant.refusal !== null) throw overAlready('#/expires_at')
    if (!grant.matches) {
      throw new ProblemError('conflict', 'This idempotency key was used for another grant.', {
        extensions: { reason: 'idempotency_key_reused' },
      })
    }
    await wakeEnforcer(id)
    return reply.status(grant.created ? 201 : 200).send(reportGrant(grant))
  })
}

const json = <Schema extends z.ZodType>(schema: Schema) => ({ content: { 'application/json': { schema } } })
