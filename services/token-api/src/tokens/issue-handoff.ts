import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import { SignJWT } from 'jose'
import type { TokenKeys } from './keys.ts'
import { HANDOFF } from './token-profile.ts'

/**
 * Signs what may stand in a URL: good for 60 s at the proxy, which consumes it once by its `jti` (the login session).
 * It carries no more than user and organization, since URLs end up in logs (RFC 9700 4.3.2).
 */
export function issueHandoff(
  claims: Pick<AccessTokenClaims, 'sub' | 'sid' | 'iat' | 'organization'>,
  key: TokenKeys['handoff'],
): Promise<string> {
  return new SignJWT({ org: claims.organization.id })
    .setProtectedHeader({ alg: HANDOFF.alg, typ: HANDOFF.typ })
    .setSubject(claims.sub)
    .setJti(claims.sid)
    .setIssuer(HANDOFF.iss)
    .setAudience(HANDOFF.aud)
    .setIssuedAt(claims.iat)
    .setExpirationTime(claims.iat + HANDOFF.ttlSeconds)
    .sign(key)
}
