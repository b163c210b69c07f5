import { ProblemError, quotaReport, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { authorizeChange } from '../quota/authorize-quota.ts'
import { reportQuota } from '../quota/report-quota.ts'
import type { PutQuota } from './put-quota.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** `DELETE /v1/organizations/:id/quota`: the limit and ladder of config and plan hold again, and change with them. */
export function deleteQuota(app: App, { access, loadPosition, setQuota, wakeEnforcer }: PutQuota): void {
  const schema = {
    summary: "Drop an organization's own limit and ladder; those of its config and plan hold again",
    security: bearer,
    params: z.object({ id: uuid }),
    response: { 200: quotaReport, ...problems(400, 401, 403, 404, 503) },
  }
  app.delete('/v1/organizations/:id/quota', { schema }, async (request) => {
    const { id } = request.params
    const actor = await authorizeChange(request.headers.authorization, id, access)
    const result = await setQuota({ organization_id: id, follow_plan: true, actor, only_lower: false })
    const row = result && (await wakeEnforcer(id).then(() => loadPosition(id)))
    if (row === undefined) throw new ProblemError('not-found', 'There is no such organization.')
    return reportQuota(row)
  })
}
