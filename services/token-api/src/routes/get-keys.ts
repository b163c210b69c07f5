import { keyReport, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { type CallerAccess, identifyCaller, requireReach, within } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface GetKeys {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listKeys'>
}

/** `GET /v1/keys`: the servers' keys, without their text. */
export function getKeys(app: App, { access, store }: GetKeys): void {
  const schema = {
    summary: "The servers' keys, newest first",
    security: bearer,
    querystring: z.strictObject({ organization_id: uuid.optional() }), // all that the caller may see
    response: { 200: z.object({ keys: z.array(keyReport) }), ...problems(400, 401, 403, 503) },
  }
  app.get('/v1/keys', { schema }, async (request) => {
    const caller = await identifyCaller(request.headers.authorization, access)
    const organization_id = within(requireReach(caller, 'keys:write'), request.query.organization_id)
    return { keys: await store.listKeys({ organization_id }) }
  })
}
