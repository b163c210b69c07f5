import type { VerifyAccessToken } from './verify-access-token.ts'
import type { UrlTokenVerdict, VerifyUrlToken } from './verify-handoff.ts'

/**
 * Takes an access token where a handoff stands, for `URL_TOKEN=access`: front ends that still put their access token
 * into the URL get into the chat. Such a link works as often as it is used, until the access token expires.
 */
export function alsoTakeAccessTokens(
  verifyHandoff: VerifyUrlToken,
  verifyAccess: VerifyAccessToken,
  newId: () => string,
): VerifyUrlToken {
  return async (token) => {
    const handoff = await verifyHandoff(token)
    if ('claims' in handoff || handoff.reason === 'expired') return handoff
    const access = await verifyAccess(token)
    return 'claims' in access ? { claims: toUrlToken(access.claims, newId) } : access
  }
}

type AccessClaims = Extract<Awaited<ReturnType<VerifyAccessToken>>, { claims: unknown }>['claims']
type UrlTokenClaims = Extract<UrlTokenVerdict, { claims: unknown }>['claims']

function toUrlToken({ jti, sid, sub, organization, iat, exp }: AccessClaims, newId: () => string): UrlTokenClaims {
  // An id of its own for each use: nothing is used up.
  const ids = { handoffId: newId(), accessTokenId: jti, loginSessionId: sid, userId: sub }
  return { ...ids, organizationId: organization.id, issuedAt: iat, expiresAt: exp }
}
