import { type chatSessionReport, chatSessionsQuery, chatSessionsReport, uuid } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { z } from 'zod'
import type { CallerAccess } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { authorizeReport } from '../reports/authorize-report.ts'
import { openCursor, sealCursor, sessionCursor } from '../reports/page-cursor.ts'
import { requireOrganization } from '../reports/require-organization.ts'
import { sendTagged } from '../reports/send-tagged.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface GetChatSessions {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listChatSessions' | 'countOpenSessions' | 'organizationExists'>
}

const schema = {
  summary: 'Chat sessions with what they used, newest first',
  description: `Users see the own sessions, admins and keys their organization's. Pages: hand \`next\` back as \`after\`.
\`open_sessions\` counts those that are open at a time, now or at \`open_at\`.`,
  security: bearer,
  params: z.object({ id: uuid }),
  querystring: chatSessionsQuery,
  response: {
    200: chatSessionsReport,
    304: z.null().describe('The caller has this answer: If-None-Match names its ETag'),
    ...problems(400, 401, 403, 404, 503),
  },
}

/** `GET /v1/organizations/:id/sessions`: the chat sessions of an organization (login sessions: `GET /v1/sessions`). */
export function getChatSessions(app: App, { access, store }: GetChatSessions): void {
  app.get('/v1/organizations/:id/sessions', { schema }, async (request, reply) => {
    const { id } = request.params
    const viewer_user_id = await authorizeReport(request.headers.authorization, id, access)
    const after = openCursor(request.query.after, sessionCursor)
    const { open_at, ...query } = request.query
    const about = { organization_id: id, user_id: viewer_user_id ?? query.user_id }
    const [found, open_sessions] = await Promise.all([
      store.listChatSessions({ ...query, organization_id: id, viewer_user_id, after }),
      store.countOpenSessions({ ...about, at: open_at }),
    ])
    if (found.length === 0) await requireOrganization(id, store)
    const last = found.length === request.query.limit ? found.at(-1) : undefined
    const next = last === undefined ? null : sealCursor(last.cursor)
    const body = JSON.stringify({ sessions: found.map(reportSession), next, open_sessions })
    return sendTagged(request, reply, 'application/json; charset=utf-8', body)
  })
}

function reportSession({ cursor: _cursor, ...row }: RpcRow<'list_chat_sessions'>) {
  return {
    ...row,
    message_count: Number(row.message_count),
    tokens_used: Number(row.tokens_used),
    unpriced_events: Number(row.unpriced_events),
  } satisfies z.infer<typeof chatSessionReport>
}
