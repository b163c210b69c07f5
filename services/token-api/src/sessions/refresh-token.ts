import { hash, type webcrypto } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { REFRESH_TOKEN } from '../tokens/token-profile.ts'

/**
 * What a refresh token says. `gen` counts the rotations of its login session, `end` is when the session ends whatever
 * happens; times are seconds since the epoch.
 */
const refreshClaims = z.object({
  sub: z.guid(),
  sid: z.guid(),
  gen: z.number().int().nonnegative(),
  iat: z.number().int(),
  exp: z.number().int(),
  end: z.number().int(),
})
export type RefreshClaims = z.infer<typeof refreshClaims>

/** The claims of a good refresh token, or why it is none. Whether it is the newest is for Postgres to say. */
export type RefreshVerdict =
  | { readonly claims: RefreshClaims }
  | { readonly reason: 'malformed' | 'bad_signature' | 'expired' }

const MAX_LENGTH = 2_000

/** Signs a refresh token. The same claims always give the same token, so that a lost answer can be given once more. */
export function signRefreshToken(
  { sub, sid, gen, iat, exp, end }: RefreshClaims,
  key: webcrypto.CryptoKey,
): Promise<string> {
  return new SignJWT({ sub, sid, gen, iat, exp, end, iss: REFRESH_TOKEN.iss, aud: REFRESH_TOKEN.aud })
    .setProtectedHeader({ alg: REFRESH_TOKEN.alg, typ: REFRESH_TOKEN.typ })
    .sign(key)
}

/** Verifies a refresh token. An expected refusal is a value; it never throws for what a client sent. */
export async function verifyRefreshToken(
  token: string,
  key: webcrypto.CryptoKey,
  nowMs: number,
): Promise<RefreshVerdict> {
  if (token.length > MAX_LENGTH) return { reason: 'malformed' }
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [REFRESH_TOKEN.alg],
      typ: REFRESH_TOKEN.typ,
      issuer: REFRESH_TOKEN.iss,
      audience: REFRESH_TOKEN.aud,
      requiredClaims: ['sub', 'sid', 'gen', 'iat', 'exp', 'end'],
      currentDate: new Date(nowMs),
    })
    const claims = refreshClaims.safeParse(payload)
    return claims.success ? { claims: claims.data } : { reason: 'malformed' }
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { reason: 'expired' }
    if (error instanceof errors.JWSSignatureVerificationFailed) return { reason: 'bad_signature' }
    if (error instanceof errors.JOSEAlgNotAllowed) return { reason: 'bad_signature' }
    if (error instanceof errors.JOSEError || error instanceof TypeError) return { reason: 'malformed' }
    throw error
  }
}

/** What is kept of a refresh token: SHA-256, 64 hex digits. */
export function hashToken(token: string): string {
  return hash('sha256', token)
}
