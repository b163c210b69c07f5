import { z } from 'zod'
import type { Revoke } from '../sessions/end-logins.ts'
import { clearRefreshCookie, readRefreshToken } from '../sessions/refresh-cookie.ts'
import type { RefreshClaims } from '../sessions/refresh-token.ts'
import { type App, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostLogout {
  /** The claims of a refresh token, also of one that has expired or was used. @throws ProblemError `unauthenticated` */
  readonly readToken: (token: string) => Promise<RefreshClaims>
  readonly revoke: Revoke
  readonly origins: readonly string[]
}

const body = z.object({ refresh_token: z.string().max(4_000).optional(), all: z.boolean().default(false) }).nullish()

/** `POST /api/librechat/logout`: ends the login session of a refresh token, or all of its user. */
export function postLogout(app: App, { readToken, revoke, origins }: PostLogout): void {
  const schema = {
    summary: 'End the login session, or with "all" every login session of the user',
    body,
    response: { 200: z.object({ ended: z.number().int() }), ...problems(400, 401, 403, 413, 415, 503) },
  }
  app.post('/api/librechat/logout', { schema }, async (request, reply) => {
    const { refresh_token, all = false } = request.body ?? {}
    const { sid, sub } = await readToken(readRefreshToken(request, refresh_token, origins))
    clearRefreshCookie(reply)
    const what = all ? { user_id: sub } : { session_id: sid, of_user: sub }
    return { ended: await revoke({ ...what, actor: `user:${sub}`, reason: 'logout' }) }
  })
}
