import { enforcementOrder, ProblemError, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { type CallerAccess, identifyCaller, requireReach } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import type { ActOf } from '../manners/act.ts'
import type { AwaitForce } from '../quota/await-force.ts'
import { overAlready } from '../quota/over-already.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostUserEnforcement {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'orderUserEnforcement'>
  /** Wakes the enforcer; never rejects, since its sweep finds the change all the same. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
  readonly actOf: ActOf
  readonly awaitForce: AwaitForce
}

const ordered = z.object({ decision_id: z.string(), until: z.string().nullable(), in_force: z.boolean() })
const SCOPE = 'enforcement:write'

/** `POST /v1/organizations/:id/users/:user/enforcement`: revoke, downgrade, restore, exempt or clear one user by hand. */
export function postUserEnforcement(app: App, dependencies: PostUserEnforcement): void {
  const { access, store, wakeEnforcer, actOf, awaitForce } = dependencies
  const schema = {
    summary: "Revoke, downgrade, restore or exempt one user by hand; the organization's state holds beside it",
    description:
      'Answered 200 when the order is in force on every instance, and no request of the user begins to pass against it. 202: it is on record, and will be in force as soon as the enforcer runs and every gate can be told; a repetition waits again.',
    security: bearer,
    params: z.object({ id: uuid, user: uuid }),
    body: enforcementOrder,
    response: {
      200: ordered,
      202: ordered,
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
    const isInForce = await awaitForce(id, user)
    return reply.status(isInForce ? 200 : 202).send({ decision_id, until, in_force: isInForce })
  })
}
