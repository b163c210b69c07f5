import { z } from 'zod'
import { readRefreshToken } from '../sessions/refresh-cookie.ts'
import type { IssueAccessToken } from '../tokens/issue-access-token.ts'
import type { Login } from '../tokens/start-login.ts'
import { answerLogin, loginAnswer } from './login-answer.ts'
import { type App, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostRefresh {
  /** @throws ProblemError `unauthenticated`, `organization-revoked`, `unavailable` */
  readonly refreshLogin: (token: string) => Promise<Login>
  readonly issueToken: IssueAccessToken
  /** Origins whose pages may use the cookie. */
  readonly origins: readonly string[]
}

/** A refresh token in a body; with the cookie the body may be left out. */
const refreshBody = z.object({ refresh_token: z.string().max(4_000).optional() }).nullish()

/** `POST /api/librechat/refresh`: a new access token and the successor of the refresh token. */
export function postRefresh(app: App, { refreshLogin, issueToken, origins }: PostRefresh): void {
  const schema = {
    summary: 'A new access token and the successor of the refresh token (body or cookie)',
    body: refreshBody,
    response: { 200: loginAnswer, ...problems(400, 401, 403, 413, 415, 503) },
  }
  app.post('/api/librechat/refresh', { schema }, async (request, reply) => {
    const token = readRefreshToken(request, request.body?.refresh_token, origins)
    return answerLogin(await refreshLogin(token), issueToken, reply)
  })
}
