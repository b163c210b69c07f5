import { usageQuery, usageReport, usageReportRow, uuid } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { z } from 'zod'
import type { CallerAccess } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { authorizeReport } from '../reports/authorize-report.ts'
import { openCursor, sealCursor, usageCursor } from '../reports/page-cursor.ts'
import { requireOrganization } from '../reports/require-organization.ts'
import { sendTagged } from '../reports/send-tagged.ts'
import { toCsv } from '../reports/to-csv.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface GetUsage {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listUsage' | 'organizationExists'>
}

const schema = {
  summary: 'Usage by time, model, user and kind of LLM token',
  description: `Users see the own usage, admins and keys their organization's. Days are the organization's, \`end\` exclusive.
\`group_by\` lists model, user, token_kind, with commas. Pages: hand \`next\` back as \`after\` (CSV: follow \`Link\`, rel="next").`,
  security: bearer,
  params: z.object({ id: uuid }),
  querystring: usageQuery,
  response: {
    200: {
      description: 'Rows by bucket, model, user and kind',
      content: { 'application/json': { schema: usageReport }, 'text/csv': { schema: z.string() } },
    },
    304: z.null().describe('The caller has this answer: If-None-Match names its ETag'),
    ...problems(400, 401, 403, 404, 503),
  },
}

/** `GET /v1/organizations/:id/usage`: what the usage report of the dashboard shows, for other dashboards. */
export function getUsage(app: App, { access, store }: GetUsage): void {
  app.get('/v1/organizations/:id/usage', { schema }, async (request, reply) => {
    const { id } = request.params
    const viewer_user_id = await authorizeReport(request.headers.authorization, id, access)
    const { format, limit, after, group_by, ...conditions } = request.query
    const found = await store.listUsage({
      ...conditions,
      organization_id: id,
      viewer_user_id,
      group_by: group_by?.split(',') ?? [],
      max_rows: limit,
      after: openCursor(after, usageCursor),
    })
    if (found.length === 0) await requireOrganization(id, store)
    const last = found.length === limit ? found.at(-1) : undefined
    const next = last === undefined ? null : sealCursor(last.cursor)
    const rows = found.map(reportRow)
    const isCsv = format === undefined ? prefersCsv(request.headers.accept) : format === 'csv'
    if (!isCsv) return sendTagged(request, reply, 'application/json; charset=utf-8', JSON.stringify({ rows, next }))
    if (next !== null) reply.header('link', `<${linkTo(request.url, next)}>; rel="next"`)
    reply.header('content-disposition', 'attachment; filename="usage.csv"')
    return sendTagged(request, reply, 'text/csv; charset=utf-8', toCsv(usageReportRow.keyof().options, rows))
  })
}

const prefersCsv = (accept: string | undefined): boolean => /^\s*text\/csv\b/i.test(accept ?? '')

function linkTo(url: string, next: string): string {
  const [path, query] = url.split('?')
  const asked = new URLSearchParams(query)
  asked.set('after', next)
  return `${path}?${asked}`
}

const countOf = (text: string | null): number | null => (text === null ? null : Number(text))

function reportRow({ cursor: _cursor, event_count: _events, ...row }: RpcRow<'list_usage'>) {
  return {
    ...row,
    tokens_used: Number(row.tokens_used),
    input_tokens: countOf(row.input_tokens),
    output_tokens: countOf(row.output_tokens),
    cache_read_input_tokens: countOf(row.cache_read_input_tokens),
    cache_creation_input_tokens: countOf(row.cache_creation_input_tokens),
    reasoning_output_tokens: countOf(row.reasoning_output_tokens),
    message_count: Number(row.message_count),
    unpriced_events: Number(row.unpriced_events),
  } satisfies z.infer<typeof usageReportRow>
}
