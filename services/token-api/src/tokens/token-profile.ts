/** Header and claims that make an access token one of ours (RFC 9068's typ, RFC 8725 3.11). */
export const ACCESS_TOKEN = { typ: 'at+jwt', iss: 'tollgate', aud: 'librechat' } as const

/** What no access token is without; the rest of its claims is the schema's to ask for. */
export const REQUIRED_CLAIMS = ['sub', 'iat', 'exp', 'jti', 'sid', 'ver'] as const

/** The header of an access token. Its spelling counts: see `verify-at-once.ts`. */
export function writeAccessHeader<Alg extends string>(alg: Alg, kid: string) {
  return { alg, typ: ACCESS_TOKEN.typ, kid }
}

/** The same for a handoff, which is of use at the proxy in front of LibreChat alone. */
export const HANDOFF = {
  alg: 'HS256',
  typ: 'handoff+jwt',
  iss: 'tollgate',
  aud: 'librechat-proxy',
  ttlSeconds: 60,
} as const

/** The same for a refresh token, which is of use at this service alone. */
export const REFRESH_TOKEN = { alg: 'HS256', typ: 'refresh+jwt', iss: 'tollgate', aud: 'tollgate-refresh' } as const
