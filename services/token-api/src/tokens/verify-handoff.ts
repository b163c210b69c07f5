import { uuid } from '@tollgate/shared/contracts'
import { errors, jwtVerify } from 'jose'
import { z } from 'zod'
import type { TokenKeys } from './keys.ts'
import { HANDOFF } from './token-profile.ts'

/** What a URL's token stands for, whichever kind it is. Times are seconds since the epoch. */
export interface UrlTokenClaims {
  /** Used up with the token: there is one session at the proxy for it. */
  readonly handoffId: string
  /** The access token that stands in for a handoff: its revocation refuses the link, and ends what the link opened. */
  readonly accessTokenId?: string
  readonly loginSessionId: string
  readonly userId: string
  readonly organizationId: string
  readonly issuedAt: number
  readonly expiresAt: number
}

/** The claims of a good token from the URL, or why it is none. */
export type UrlTokenVerdict =
  | { readonly claims: UrlTokenClaims }
  | { readonly reason: 'malformed' | 'bad_signature' | 'expired' }

/** Verifies the token of the URL. An expected refusal is a value; it never throws for what a client sent. */
export type VerifyUrlToken = (token: string) => Promise<UrlTokenVerdict>

const MAX_LENGTH = 2_000
const payloadShape = z.object({ sub: uuid, org: uuid, jti: uuid, iat: z.number().int(), exp: z.number().int() })

/**
 * Makes the verifier of handoffs over the keys, the one in force first. That one is used once only, whatever its
 * spelling, Postgres sees to by its `jti`.
 */
export function createHandoffVerifier(keys: readonly TokenKeys['handoff'][], now: () => number): VerifyUrlToken {
  const verifiers = keys.map((key) => verifyWith(key, now))
  return async (token) => {
    for (const verify of verifiers) {
      const verdict = await verify(token)
      if (!('reason' in verdict) || verdict.reason !== 'bad_signature') return verdict
    }
    return { reason: 'bad_signature' }
  }
}

function verifyWith(key: TokenKeys['handoff'], now: () => number): VerifyUrlToken {
  return async (token) => {
    if (token.length > MAX_LENGTH) return { reason: 'malformed' }
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [HANDOFF.alg],
        typ: HANDOFF.typ,
        issuer: HANDOFF.iss,
        audience: HANDOFF.aud,
        requiredClaims: ['sub', 'org', 'jti', 'iat', 'exp'],
        currentDate: new Date(now()),
      })
      const { sub, org, jti, iat, exp } = payloadShape.parse(payload)
      const ids = { handoffId: jti, loginSessionId: jti, userId: sub, organizationId: org }
      return { claims: { ...ids, issuedAt: iat, expiresAt: exp } }
    } catch (error) {
      return { reason: reasonOf(error) }
    }
  }
}

function reasonOf(error: unknown): 'malformed' | 'bad_signature' | 'expired' {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad_signature'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'bad_signature'
  if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof z.ZodError) return 'malformed'
  throw error
}
