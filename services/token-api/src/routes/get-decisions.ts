import { decisionReport, ProblemError, uuid } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { z } from 'zod'
import { type CallerAccess, identifyCaller, requireReach, within } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the routes need. */
export interface GetDecisions {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listDecisions'>
}

const SCOPE = 'quota:read'

// Every condition is optional: without any, the newest decisions on the organization and its users.
const query = z.strictObject({
  user_id: uuid.optional(),
  before: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})

/** `GET /v1/organizations/:id/decisions[/:decision]`: why somebody was stopped, warned or let in, newest first. */
export function getDecisions(app: App, { access, store }: GetDecisions): void {
  const authorize = async (authorization: string | undefined, organizationId: string): Promise<void> => {
    const caller = await identifyCaller(authorization, access)
    within(requireReach(caller, SCOPE), organizationId)
  }
  const list = {
    summary: 'The decisions on an organization and its users, newest first',
    description: 'Pages: hand the `next` of an answer back as `before`.',
    security: bearer,
    params: z.object({ id: uuid }),
    querystring: query,
    response: {
      200: z.object({ decisions: z.array(decisionReport), next: z.string().nullable() }),
      ...problems(400, 401, 403, 503),
    },
  }
  app.get('/v1/organizations/:id/decisions', { schema: list }, async (request) => {
    const { id } = request.params
    await authorize(request.headers.authorization, id)
    const { limit, ...conditions } = request.query
    const rows = await store.listDecisions({ organization_id: id, ...conditions, max_rows: limit })
    return { decisions: rows.map(reportDecision), next: rows.length === limit ? (rows.at(-1)?.seq ?? null) : null }
  })
  const one = {
    summary: 'One decision: what it was decided from',
    security: bearer,
    params: z.object({ id: uuid, decision: uuid }),
    response: { 200: decisionReport, ...problems(400, 401, 403, 404, 503) },
  }
  app.get('/v1/organizations/:id/decisions/:decision', { schema: one }, async (request) => {
    const { id, decision } = request.params
    await authorize(request.headers.authorization, id)
    const [row] = await store.listDecisions({ organization_id: id, id: decision, max_rows: 1 })
    if (row === undefined) throw new ProblemError('not-found', 'There is no such decision.')
    return reportDecision(row)
  })
}

function reportDecision({ seq, version, observed, ...row }: RpcRow<'list_decisions'>) {
  return { ...row, cursor: seq, version: Number(version), observed: observed ?? null }
}
