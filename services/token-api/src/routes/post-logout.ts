import { z } from 'zod'
import type { Revoke } from '../sessions/end-logins.ts'
import type { EndableToken } from '../sessions/read-endable-token.ts'
import { clearRefreshCookie, readRefreshToken } from '../sessions/refresh-cookie.ts'
import { type App, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostLogout {
  /** Reads a refresh token, also one that has expired or was used. @throws ProblemError `unauthenticated` */
  readonly readToken: (token: string) => Promise<EndableToken>
  readonly revoke: Revoke
  readonly origins: readonly string[]
}

const body = z.object({ refresh_token: z.string().max(4_000).optional(), all: z.boolean().default(false) }).nullish()

const answer = z.object({
  ended: z.number().int(),
  all: z.boolean().describe("Whether all of the user's were ended; only the newest refresh token may ask for that"),
})

/**
 * `POST /api/librechat/logout`: ends the login session of a refresh token, or all of its user. A token that is not good
 * any more ends its own alone: it may have leaked long ago.
 */
export function postLogout(app: App, { readToken, revoke, origins }: PostLogout): void {
  const schema = {
    summary: 'End the login session, or with "all" every login session of the user',
    body,
    response: { 200: answer, ...problems(400, 401, 403, 413, 415, 503) },
  }
  app.post('/api/librechat/logout', { schema }, async (request, reply) => {
    const { refresh_token, all = false } = request.body ?? {}
    const { claims, isCurrent } = await readToken(readRefreshToken(request, refresh_token, origins))
    const { sid, sub } = claims
    const isOfAll = all && isCurrent
    const what = isOfAll ? { user_id: sub } : { session_id: sid, of_user: sub }
    const ended = await revoke({ ...what, actor: `user:${sub}`, reason: 'logout' })
    // Not before: after a failure the browser must be able to ask again.
    clearRefreshCookie(reply)
    return { ended, all: isOfAll }
  })
}
