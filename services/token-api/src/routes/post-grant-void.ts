import { grantVoid, ProblemError, uuid, voidedGrantReport } from '@tollgate/shared/contracts'
import { z } from 'zod'
import type { Store } from '../bind-store.ts'
import { authorizeChange, type QuotaAccess } from '../quota/authorize-quota.ts'
import { reportGrant } from '../quota/report-grant.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostGrantVoid {
  readonly access: QuotaAccess
  readonly store: Pick<Store, 'voidGrant'>
  /** Wakes the enforcer; never rejects, since its sweep finds the change all the same. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
}

/** `POST /v1/organizations/:id/grants/:grant/void`: takes back what a grant has left, for the limit at once. */
export function postGrantVoid(app: App, { access, store, wakeEnforcer }: PostGrantVoid): void {
  const schema = {
    summary: 'Take back what a grant has left',
    description: 'What the grant gave stays given. Voiding it again changes nothing and gives the same answer.',
    security: bearer,
    params: z.object({ id: uuid, grant: uuid }),
    body: grantVoid,
    response: { 200: voidedGrantReport, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
  }
  app.post('/v1/organizations/:id/grants/:grant/void', { schema }, async (request) => {
    const { id, grant: grant_id } = request.params
    const actor = await authorizeChange(request.headers.authorization, id, access)
    const grant = await store.voidGrant({ organization_id: id, grant_id, reason: request.body.reason, actor })
    if (grant === undefined) throw new ProblemError('not-found', 'The organization has no such grant.')
    if (grant.outcome === 'over') {
      throw new ProblemError('conflict', 'The grant is spent or has expired: nothing is left of it.', {
        extensions: { reason: 'grant_is_over' },
      })
    }
    await wakeEnforcer(id)
    return { ...reportGrant({ ...grant, left_tokens: null }), spent: Number(grant.spent_tokens) }
  })
}
