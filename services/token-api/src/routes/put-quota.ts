import { ProblemError, quotaChange, quotaReport, uuid } from '@tollgate/shared/contracts'
import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import { z } from 'zod'
import { authorizeWrite } from '../quota/authorize-quota.ts'
import { reportQuota } from '../quota/report-quota.ts'
import type { GetQuota } from './get-quota.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PutQuota extends GetQuota {
  /** Undefined for an unknown organization. @throws StoreError */
  readonly setQuota: (change: RpcArgs<'set_quota'>['change']) => Promise<RpcRow<'set_quota'> | undefined>
  /** Wakes the enforcer; never rejects, since its sweep finds the change all the same. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
}

/** `PUT /v1/organizations/:id/quota`: a new limit, a new ladder, or both. */
export function putQuota(app: App, { access, loadPosition, setQuota, wakeEnforcer }: PutQuota): void {
  const schema = {
    summary: 'Set the monthly limit, the ladder of steps, or both',
    security: bearer,
    params: z.object({ id: uuid }),
    body: quotaChange,
    response: { 200: quotaReport, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
  }
  app.put('/v1/organizations/:id/quota', { schema }, async (request) => {
    const { id } = request.params
    const right = await authorizeWrite(request.headers.authorization, id, access)
    const result = await setQuota({
      organization_id: id,
      ...request.body,
      actor: right.actor,
      only_lower: right.may === 'lower',
    })
    if (result === undefined) throw new ProblemError('not-found', 'There is no such organization.')
    if (result.refusal === 'policy_version') {
      throw new ProblemError('conflict', 'The limit or the policy was changed meanwhile: look at it again.', {
        extensions: { reason: 'policy_version', policy_version: Number(result.version) },
      })
    }
    if (!result.changed) {
      throw new ProblemError('forbidden', "An organization's admin may lower its limit, and change nothing else.", {
        extensions: { reason: 'only_lower' },
      })
    }
    await wakeEnforcer(id)
    const row = await loadPosition(id)
    if (row === undefined) throw new ProblemError('not-found', 'There is no such organization.')
    return reportQuota(row)
  })
}
