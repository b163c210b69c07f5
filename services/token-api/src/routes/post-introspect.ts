import { z } from 'zod'
import { requireKey } from '../access/require-key.ts'
import type { GatedClaims, GateVerdict } from '../gate/gate.ts'
import type { AuthenticateServiceKey } from '../ingest/authenticate-service-key.ts'
import { parseFormBodies } from '../plugins/form-body.ts'
import { CURRENT_VERSION } from '../proxy/remember-sessions.ts'
import type { ReadToken } from '../sessions/read-token.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostIntrospect {
  readonly authenticateKey: AuthenticateServiceKey
  readonly readToken: (token: string) => Promise<ReadToken>
  readonly judge: (claims: GatedClaims) => GateVerdict
}

const active = z.object({
  active: z.literal(true),
  token_type: z.enum(['access_token', 'refresh_token']),
  sub: z.string(),
  username: z.string().optional(), // these six stand in an access token alone
  iss: z.string().optional(),
  aud: z.string().optional(),
  jti: z.string().optional(),
  ver: z.number().int().optional(),
  role: z.string().optional(),
  sid: z.string(),
  iat: z.number().int(),
  exp: z.number().int(),
  organization_id: z.string(),
})
const answer = z.union([active, z.object({ active: z.literal(false) })])

/** `POST /oauth/introspect` (RFC 7662): whether a token is good now. Of a token that is not, it says nothing else. */
export function postIntrospect(app: App, { authenticateKey, readToken, judge }: PostIntrospect): void {
  const schema = {
    summary: 'Whether an access or refresh token is good now (RFC 7662)',
    security: bearer,
    consumes: ['application/x-www-form-urlencoded', 'application/json'],
    body: z.object({ token: z.string().min(1), token_type_hint: z.string().optional() }), // the hint saves us nothing
    response: { 200: answer, ...problems(400, 401, 403, 413, 415, 503) },
  }
  app.register(async (scope: App) => {
    parseFormBodies(scope)
    scope.post('/oauth/introspect', { schema }, async (request) => {
      const key = await requireKey(request.headers.authorization, 'tokens:introspect', authenticateKey)
      const token = await readToken(request.body.token)
      const isInReach = key.organization_id === null || key.organization_id === token?.organizationId
      if (token === undefined || !isInReach || !isGood(token, judge)) return { active: false as const }
      const { sub, sid, iat, exp } = token.claims
      const common = { active: true as const, sub, sid, iat, exp, organization_id: token.organizationId }
      if (token.kind === 'refresh') return { ...common, token_type: 'refresh_token' as const }
      const { username, iss, aud, jti, ver, role } = token.claims
      return { ...common, token_type: 'access_token' as const, username, iss, aud, jti, ver, role }
    })
  })
}

/** Whether it would be taken now. A refresh asks for what holds by then, so that no change of rights makes its token stale. */
function isGood(token: NonNullable<ReadToken>, judge: PostIntrospect['judge']): boolean {
  if (token.kind === 'access') return judge(token.claims).accepted
  const { sub, sid } = token.claims
  const organization = { id: token.organizationId }
  return token.isCurrent && judge({ sub, sid, jti: sid, ver: CURRENT_VERSION, organization }).accepted
}
