import { type AccessTokenClaims, organizationClaim, userIdentity } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { requireUser } from '../tokens/require-user.ts'
import { toIsoTime } from '../tokens/start-login.ts'
import type { VerifySupabaseToken } from '../tokens/verify-supabase-token.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostLibreChatAuth {
  readonly verifySupabase: VerifySupabaseToken
  readonly startLogin: (userId: string) => Promise<AccessTokenClaims>
  readonly issueToken: (claims: AccessTokenClaims) => Promise<string>
}

const answer = z.object({
  token: z.string(),
  expires_at: z.string(),
  user: z.object({ id: z.string(), ...userIdentity.shape, organization: organizationClaim }),
})

/** `POST /api/librechat/auth`: an access token for the signed-in user. */
export function postLibreChatAuth(app: App, dependencies: PostLibreChatAuth): void {
  const schema = {
    summary: 'An access token for the signed-in user',
    security: bearer,
    response: { 200: answer, ...problems(401, 403, 503) },
  }
  app.post('/api/librechat/auth', { schema }, async (request) => {
    const userId = await requireUser(request.headers.authorization, dependencies.verifySupabase)
    const claims = await dependencies.startLogin(userId)
    const { sub, email, name, username, avatar, role, organization } = claims
    return {
      token: await dependencies.issueToken(claims),
      expires_at: toIsoTime(claims.exp),
      user: { id: sub, email, name, username, avatar, role, organization },
    }
  })
}
