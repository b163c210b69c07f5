import { grantReport, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import type { Store } from '../bind-store.ts'
import { authorizeRead, type QuotaAccess } from '../quota/authorize-quota.ts'
import { reportGrant } from '../quota/report-grant.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface GetGrants {
  readonly access: QuotaAccess
  readonly store: Pick<Store, 'listGrants'>
}

/** `GET /v1/organizations/:id/grants`: the grants of an organization, newest first, with what they have left. */
export function getGrants(app: App, { access, store }: GetGrants): void {
  const schema = {
    summary: 'The grants of an organization, newest first',
    security: bearer,
    params: z.object({ id: uuid }),
    response: { 200: z.object({ grants: z.array(grantReport) }), ...problems(400, 401, 403, 503) },
  }
  app.get('/v1/organizations/:id/grants', { schema }, async (request) => {
    const { id } = request.params
    await authorizeRead(request.headers.authorization, id, access)
    return { grants: (await store.listGrants(id)).map(reportGrant) }
  })
}
