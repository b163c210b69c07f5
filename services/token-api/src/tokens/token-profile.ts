/** Header and claims that make an access token one of ours (RFC 9068's typ, RFC 8725 3.11). */
export const ACCESS_TOKEN = { typ: 'at+jwt', iss: 'tollgate', aud: 'librechat' } as const

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
