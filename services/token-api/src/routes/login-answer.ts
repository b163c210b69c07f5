import { organizationClaim, userIdentity } from '@tollgate/shared/contracts'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { setRefreshCookie } from '../sessions/refresh-cookie.ts'
import type { IssueAccessToken } from '../tokens/issue-access-token.ts'
import { type Login, toIsoTime } from '../tokens/start-login.ts'

/** What a login and a refresh answer. */
export const loginAnswer = z.object({
  token: z.string(),
  expires_at: z.string(),
  refresh_token: z.string().optional(), // a token that a server asked for has none
  user: z.object({ id: z.string(), ...userIdentity.shape, organization: organizationClaim }),
})

/** Signs the access token and puts the answer together; a refresh token goes into the cookie too. */
export async function answerLogin({ claims, refresh }: Login, issueToken: IssueAccessToken, reply: FastifyReply) {
  const { sub, email, name, username, avatar, role, organization, iat } = claims
  if (refresh !== undefined) setRefreshCookie(reply, refresh.token, refresh.expiresAt - iat)
  return {
    token: await issueToken(claims),
    expires_at: toIsoTime(claims.exp),
    ...(refresh === undefined ? {} : { refresh_token: refresh.token }),
    user: { id: sub, email, name, username, avatar, role, organization },
  }
}
