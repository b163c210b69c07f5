import { ProblemError, quotaReport, uuid } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { z } from 'zod'
import { authorizeRead, type QuotaAccess } from '../quota/authorize-quota.ts'
import { reportQuota } from '../quota/report-quota.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface GetQuota {
  readonly access: QuotaAccess
  /** Undefined for an unknown organization. @throws StoreError */
  readonly loadPosition: (organizationId: string) => Promise<RpcRow<'load_quota_position'> | undefined>
}

/** `GET /v1/organizations/:id/quota`: limit, usage and state of the current period. */
export function getQuota(app: App, { access, loadPosition }: GetQuota): void {
  const schema = {
    summary: 'Limit, usage and state of the current period',
    security: bearer,
    params: z.object({ id: uuid }),
    response: { 200: quotaReport, ...problems(400, 401, 403, 404, 503) },
  }
  app.get('/v1/organizations/:id/quota', { schema }, async (request) => {
    const { id } = request.params
    await authorizeRead(request.headers.authorization, id, access)
    const row = await loadPosition(id)
    if (row === undefined) throw new ProblemError('not-found', 'There is no such organization.')
    return reportQuota(row)
  })
}
