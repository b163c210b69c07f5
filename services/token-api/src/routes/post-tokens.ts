import { ProblemError, type Role, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { requireKey } from '../access/require-key.ts'
import type { Store } from '../bind-store.ts'
import type { AuthenticateServiceKey, ServiceKey } from '../ingest/authenticate-service-key.ts'
import type { ActOf } from '../manners/act.ts'
import type { IssueAccessToken } from '../tokens/issue-access-token.ts'
import type { Login, LoginRequest } from '../tokens/start-login.ts'
import { answerLogin, loginAnswer } from './login-answer.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostTokens {
  readonly authenticateKey: AuthenticateServiceKey
  readonly findMember: Store['findMember']
  readonly startLogin: (request: LoginRequest) => Promise<Login>
  readonly issueToken: IssueAccessToken
  readonly actOf: ActOf
}

/** `POST /v1/tokens`: an access token for a user by id, for servers that vouch for their users themselves. */
export function postTokens(app: App, dependencies: PostTokens): void {
  const { authenticateKey, findMember, startLogin, issueToken, actOf } = dependencies
  const schema = {
    summary: 'An access token for a user by id',
    security: bearer,
    body: z.strictObject({ user_id: uuid }),
    response: { 201: loginAnswer, ...problems(400, 401, 403, 413, 415, 503) },
  }
  app.post('/v1/tokens', { schema }, async (request, reply) => {
    const key = await requireKey(request.headers.authorization, 'tokens:issue', authenticateKey)
    const userId = request.body.user_id
    const member = await findMember(userId)
    // The same answer for a user who does not exist: nobody can try out ids.
    if (member === undefined || !isInReach(key, member)) throw outOfReach()
    const userAgent = request.headers['user-agent']
    const loginSessionId = actOf(request).id
    const login = await startLogin({ userId, kind: 'server', userAgent, actor: `key:${key.id}`, loginSessionId })
    // What the token says was read later than the profile.
    const { role, organization } = login.claims
    if (!isInReach(key, { role, organization_id: organization.id })) throw outOfReach()
    return reply.code(201).send(await answerLogin(login, issueToken, reply))
  })
}

// A super_admin may do everything everywhere, also one whose profile is in the organization: no token of an organization's key.
function isInReach(key: ServiceKey, member: { organization_id: string | null; role: Role }): boolean {
  if (key.organization_id === null) return true
  return key.organization_id === member.organization_id && member.role !== 'super_admin'
}

function outOfReach(): ProblemError {
  return new ProblemError('forbidden', 'The key issues tokens for no such user.', {
    extensions: { reason: 'user_out_of_reach' },
  })
}
