import { boundedText, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { type CallerAccess, identifyCaller, requireReach, within } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface GetAudit {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listAudit'>
}

const entry = z.object({
  id: z.string(),
  at: z.string(),
  actor: z.string(),
  action: z.string(),
  target: z.string(),
  organization_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
})

// Every condition is optional: without any, all that the caller may see, from the newest on.
const query = z.strictObject({
  organization_id: uuid.optional(),
  actor: boundedText(200).optional(),
  action: boundedText(100).optional(),
  target: boundedText(200).optional(),
  before: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})

/** `GET /v1/audit`: the administrative acts, newest first; an organization's admin sees those on the own organization. */
export function getAudit(app: App, { access, store }: GetAudit): void {
  const schema = {
    summary: 'The trail of administrative acts, newest first',
    description: 'Pages: hand the `next` of an answer back as `before`.',
    security: bearer,
    querystring: query,
    response: {
      200: z.object({ entries: z.array(entry), next: z.string().nullable() }),
      ...problems(400, 401, 403, 503),
    },
  }
  app.get('/v1/audit', { schema }, async (request) => {
    const caller = await identifyCaller(request.headers.authorization, access)
    const reach = requireReach(caller, 'audit:read')
    const { limit, ...conditions } = request.query
    const entries = await store.listAudit({
      ...conditions,
      organization_id: within(reach, conditions.organization_id),
      max_rows: limit,
    })
    return { entries, next: entries.length === limit ? (entries.at(-1)?.id ?? null) : null }
  })
}
