import { enforcementOrder, ProblemError, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { type CallerAccess, identifyCaller, requireReach } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import type { ActOf } from '../manners/act.ts'
import { overAlready } from '../quota/over-already.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostUserEnforcement {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'orderUserEnforcement'>
  /** Wakes the enforcer; never rejects, since its sweep finds the change all the same. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
  readonly actOf: ActOf
}

const SCOPE = 'enforcement:write'

/** `POST /v1/organizations/:id/users/:user/enforcement`: revoke, downgrade, restore, exempt or clear one user by hand. */
export function postUserEnforcement(app: App, { access, store, wakeEnforcer, actOf }: PostUserEnforcement): void {
  const schema = {
    summary: "Revoke, downgrade, restore or exempt one user by hand; the organization's state holds beside it",
    description:
      'Answered when the order is on record, with its decision; the enforcer puts it into force within a fraction of a second.',
    security: bearer,
    params: z.object({ id: uuid, user: uuid }),
    body: enforcementOrder,
    response: {
      202: z.object({ decision_id: z.string(), until: z.string().nullable() }),
      ...problems(400, 401, 403, 404, 413, 415, 503),
    },
  }
  app.post('/v1/organizations/:id/users/:user/enforcement', { schema }, async (request, reply) => {
    const { id, user } = request.params
    const caller = await identifyCaller(request.headers.authorization, access)
    if (requireReach(caller, SCOPE) !== 'all') {
      throw new ProblemError('forbidden', 'Enforcement is ordered by super_admins and keys of the operator alone.')
    }
    const order = await store.orderUserEnforcement({
      ...{ organization_id: id, user_id: user, decision_id: actOf(request).id },
      ...request.body,
      actor: caller.actor,
    })
    if (order === undefined) throw new ProblemError('not-found', 'The organization has no such user.')
    if (order.refusal !== null) throw overAlready('#/until')
    const { decision_id, until } = order
    await wakeEnforcer(id)
    return reply.status(202).send({ decision_id, until })
  })
}
