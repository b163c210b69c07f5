import { ProblemError } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { requireKey } from '../access/require-key.ts'
import type { AuthenticateServiceKey } from '../ingest/authenticate-service-key.ts'
import { parseFormBodies } from '../plugins/form-body.ts'
import type { Revoke } from '../sessions/end-logins.ts'
import type { ReadToken } from '../sessions/read-token.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostRevoke {
  readonly authenticateKey: AuthenticateServiceKey
  readonly readToken: (token: string) => Promise<ReadToken>
  readonly revoke: Revoke
}

/**
 * `POST /oauth/revoke` (RFC 7009): an access token is refused from now on, a refresh token takes its login session with
 * it. What is no token of ours, or none any more, is answered 200 too.
 */
export function postRevoke(app: App, { authenticateKey, readToken, revoke }: PostRevoke): void {
  const schema = {
    summary: 'Revoke an access token, or a refresh token with its login session (RFC 7009)',
    security: bearer,
    consumes: ['application/x-www-form-urlencoded', 'application/json'],
    body: z.object({ token: z.string().min(1), token_type_hint: z.string().optional() }), // the hint saves us nothing
    response: { 200: z.object({}), ...problems(400, 401, 403, 413, 415, 503) },
  }
  app.register(async (scope: App) => {
    parseFormBodies(scope)
    scope.post('/oauth/revoke', { schema }, async (request) => {
      const key = await requireKey(request.headers.authorization, 'tokens:revoke', authenticateKey)
      const token = await readToken(request.body.token)
      if (token === undefined) return {}
      if (key.organization_id !== null && key.organization_id !== token.organizationId) {
        throw new ProblemError('forbidden', "The key revokes its own organization's tokens alone.")
      }
      const act = { actor: `key:${key.id}`, reason: 'revoked' }
      const { sid } = token.claims
      if (token.kind === 'refresh') await revoke({ ...act, session_id: sid })
      else {
        const { jti, exp } = token.claims
        await revoke({ ...act, token: { jti, organization_id: token.organizationId, expires_at: exp } })
      }
      return {}
    })
  })
}
