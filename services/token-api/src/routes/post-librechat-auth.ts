import type { ActOf } from '../manners/act.ts'
import type { IssueAccessToken } from '../tokens/issue-access-token.ts'
import { requireSignIn } from '../tokens/require-user.ts'
import type { Login, LoginRequest } from '../tokens/start-login.ts'
import type { VerifySupabaseToken } from '../tokens/verify-supabase-token.ts'
import { answerLogin, loginAnswer } from './login-answer.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostLibreChatAuth {
  readonly verifySupabase: VerifySupabaseToken
  readonly startLogin: (request: LoginRequest) => Promise<Login>
  readonly issueToken: IssueAccessToken
  readonly actOf: ActOf
}

/** `POST /api/librechat/auth`: an access token and a refresh token for the signed-in user. */
export function postLibreChatAuth(app: App, dependencies: PostLibreChatAuth): void {
  const { verifySupabase, startLogin, issueToken, actOf } = dependencies
  const schema = {
    summary: 'An access token and a refresh token for the signed-in user',
    security: bearer,
    response: { 200: loginAnswer, ...problems(401, 403, 503) },
  }
  app.post('/api/librechat/auth', { schema }, async (request, reply) => {
    const signIn = await requireSignIn(request.headers.authorization, verifySupabase)
    const userAgent = request.headers['user-agent']
    const loginSessionId = actOf(request).id
    const login = await startLogin({ ...signIn, kind: 'browser', userAgent, loginSessionId })
    return answerLogin(login, issueToken, reply)
  })
}
