import { type AccessTokenClaims, accessTokenClaims } from '@tollgate/shared/contracts'
import { z } from 'zod'
import type { CheckAccessToken } from '../gate/check-access-token.ts'
import type { Positions } from '../quota/open-positions.ts'
import { refuseWithPosition } from '../quota/refuse-with-position.ts'
import { type App, bearer, problems } from './typed-app.ts'

const { sub, email, name, username, role, organization, exp, sid, ver } = accessTokenClaims.shape
const active = z.object({
  active: z.literal(true),
  ...{ sub, email, name, username, role, organization, exp, sid, ver },
})

/** `GET /api/auth/verify`: whether an access token is good now. It asks neither Postgres nor Redis. */
export function getVerify(app: App, check: CheckAccessToken, showPosition: Positions['show']): void {
  const schema = {
    summary: 'Whether an access token is good now',
    security: bearer,
    response: { 200: active, ...problems(401, 403, 503) },
  }
  app.get('/api/auth/verify', { schema }, async (request, reply) => {
    const verdict = await check(request.headers.authorization)
    if ('refusal' in verdict) throw refuseWithPosition(verdict.refusal, reply, showPosition)
    showPosition(reply, verdict.claims.organization.id)
    return toAnswer(verdict.claims)
  })
}

/** The answer about good claims, as text. They have been through their schema, and nothing in it changes with time. */
export function writeVerifyAnswer(claims: AccessTokenClaims): string {
  return JSON.stringify(toAnswer(claims))
}

function toAnswer({ sub, email, name, username, role, organization, exp, sid, ver }: AccessTokenClaims) {
  return { active: true as const, sub, email, name, username, role, organization, exp, sid, ver }
}
