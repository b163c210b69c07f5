import { type AccessTokenClaims, accessTokenClaims } from '@tollgate/shared/contracts'
import { createVerifier, TokenError } from 'fast-jwt'
import type { AccessKey } from './keys.ts'
import { isCanonical, isOwnSpelling } from './own-spelling.ts'
import { ACCESS_TOKEN, REQUIRED_CLAIMS, writeAccessHeader } from './token-profile.ts'

/** The claims of a token that is good but perhaps for its time; undefined says nothing. */
export type VerifyAtOnce = (token: string) => AccessTokenClaims | undefined

/**
 * Makes the verifier that waits for nothing, for tokens of shared secrets. It takes those alone whose header is, byte for
 * byte, what we sign with: no word of a header is ever interpreted here. Whatever else there is goes the long way.
 */
export function createPromptVerifier(keys: readonly AccessKey[]): VerifyAtOnce {
  const verifiers = new Map(keys.flatMap((key) => (key.alg === 'HS256' ? [verifierOf(key, key.secret)] : [])))
  return (token) => {
    const parts = token.split('.')
    const [header = '', body = '', signature = ''] = parts
    const verify = verifiers.get(header)
    if (verify === undefined || parts.length !== 3 || !isCanonical(signature)) return undefined
    try {
      const payload: unknown = verify(token)
      const claims = accessTokenClaims.safeParse(payload)
      return claims.success && !hasStart(payload) && isOwnSpelling(body, payload) ? claims.data : undefined
    } catch (error) {
      // A RangeError: nested deeper than the stack.
      if (error instanceof TokenError || error instanceof RangeError) return undefined
      throw error
    }
  }
}

function verifierOf({ kid }: AccessKey, secret: Uint8Array) {
  const verify = createVerifier({
    key: Buffer.from(secret),
    algorithms: ['HS256'],
    checkTyp: ACCESS_TOKEN.typ,
    allowedIss: ACCESS_TOKEN.iss,
    allowedAud: ACCESS_TOKEN.aud,
    requiredClaims: [...REQUIRED_CLAIMS],
    // Time goes on after a token was remembered: whoever asks looks at it.
    ignoreExpiration: true,
    // A memory over all keys stands before this one.
    cache: false,
  })
  const header = Buffer.from(JSON.stringify(writeAccessHeader('HS256', kid))).toString('base64url')
  return [header, verify] as const
}

// Ours are good from the beginning; another's beginning would have to be compared with the clock.
function hasStart(payload: unknown): boolean {
  return typeof payload === 'object' && payload !== null && 'nbf' in payload
}
