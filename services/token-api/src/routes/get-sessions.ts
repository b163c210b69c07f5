import { z } from 'zod'
import type { Store } from '../bind-store.ts'
import { requireUser } from '../tokens/require-user.ts'
import type { VerifySupabaseToken } from '../tokens/verify-supabase-token.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface GetSessions {
  readonly verifySupabase: VerifySupabaseToken
  readonly store: Pick<Store, 'listLogins'>
}

const session = z.object({
  id: z.string(),
  kind: z.enum(['browser', 'handoff', 'server']),
  user_agent: z.string().nullable(),
  started_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
  expires_at: z.string().nullable(),
})

/** `GET /v1/sessions`: the device list: where the signed-in user is logged in. */
export function getSessions(app: App, { verifySupabase, store }: GetSessions): void {
  const schema = {
    summary: 'Open login sessions of the signed-in user, newest use first',
    security: bearer,
    response: { 200: z.object({ sessions: z.array(session) }), ...problems(401, 403, 503) },
  }
  app.get('/v1/sessions', { schema }, async (request) => {
    const user_id = await requireUser(request.headers.authorization, verifySupabase)
    const rows = await store.listLogins({ user_id })
    return {
      sessions: rows.map(({ id, kind, user_agent, started_at, last_used_at, expires_at }) => ({
        id,
        kind,
        user_agent,
        started_at,
        last_used_at,
        expires_at,
      })),
    }
  })
}
