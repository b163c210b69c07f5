import { type AccessTokenClaims, organizationSummary } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { requireSignIn } from '../tokens/require-user.ts'
import type { Login, LoginRequest } from '../tokens/start-login.ts'
import type { VerifySupabaseToken } from '../tokens/verify-supabase-token.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface GetLibreChatAuth {
  readonly verifySupabase: VerifySupabaseToken
  readonly startLogin: (request: LoginRequest) => Promise<Login>
  /** Signs what stands in the URL: a handoff, or the access token itself. */
  readonly issueUrlToken: (claims: AccessTokenClaims) => Promise<string>
  readonly libreChatUrl: string
}

/** `GET /api/librechat/auth`: the address under which the signed-in user gets to the chat. */
export function getLibreChatAuth(app: App, dependencies: GetLibreChatAuth): void {
  const schema = {
    summary: 'Where the chat is for the signed-in user',
    security: bearer,
    response: { 200: z.object({ url: z.string(), organization: organizationSummary }), ...problems(401, 403, 503) },
  }
  app.get('/api/librechat/auth', { schema }, async (request) => {
    const signIn = await requireSignIn(request.headers.authorization, dependencies.verifySupabase)
    const userAgent = request.headers['user-agent']
    const { claims } = await dependencies.startLogin({ ...signIn, kind: 'handoff', userAgent })
    const { id, name, domain, plan_type } = claims.organization
    const token = await dependencies.issueUrlToken(claims)
    return { url: chatUrl(dependencies.libreChatUrl, token, domain), organization: { id, name, domain, plan_type } }
  })
}

// Written out, and not with URL, which would put a slash before the question mark that front ends do not expect.
function chatUrl(base: string, token: string, domain: string): string {
  const separator = base.includes('?') ? '&' : '?'
  return `${base}${separator}token=${token}&org=${encodeURIComponent(domain)}`
}
