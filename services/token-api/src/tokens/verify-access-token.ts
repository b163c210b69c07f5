import { type AccessTokenClaims, accessTokenClaims, type RefusalReason } from '@tollgate/shared/contracts'
import { decodeProtectedHeader, errors, jwtVerify, type ProtectedHeaderParameters } from 'jose'
import type { TokenKeys } from './keys.ts'
import { ACCESS_TOKEN } from './token-profile.ts'

/** The claims of a good token, or why it is none. Whether its organization has access is the gate's to say. */
export type TokenVerdict =
  | { readonly claims: AccessTokenClaims }
  | { readonly reason: Extract<RefusalReason, 'malformed' | 'bad_signature' | 'expired'> }

/** Verifies access tokens. An expected refusal is a value; it never throws for what a client sent. */
export type VerifyAccessToken = (token: string) => Promise<TokenVerdict>

/** Verifies access tokens, and recalls those that it has verified. */
export interface AccessTokenVerifier {
  readonly verify: VerifyAccessToken
  /** The claims of a token that was verified before and has not expired; undefined says nothing. */
  recall(token: string): AccessTokenClaims | undefined
}

const MAX_REMEMBERED = 10_000
const MAX_REMEMBERED_CHARACTERS = 32 * 1024 * 1024
const MAX_TOKEN_LENGTH = 60_000

/**
 * Makes a verifier for a set of keys. It remembers tokens whose signature it has seen to be good; what changes with time
 * is looked at each time.
 */
export function openAccessTokenVerifier(keys: TokenKeys['access'], now: () => number): AccessTokenVerifier {
  // By the token itself: a digest would take longer than all the rest. A map compares only what has the same seeded
  // hash, so that the time that it takes does not tell how much of a guess was right.
  const remembered = new Map<string, AccessTokenClaims>()
  let characters = 0

  const remember = (token: string, claims: AccessTokenClaims): void => {
    if (remembered.has(token)) return
    remembered.set(token, claims)
    characters += token.length
    for (const oldest of remembered.keys()) {
      if (remembered.size <= MAX_REMEMBERED && characters <= MAX_REMEMBERED_CHARACTERS) break
      remembered.delete(oldest)
      characters -= oldest.length
    }
  }
  return {
    verify: async (token) => {
      if (token.length > MAX_TOKEN_LENGTH) return { reason: 'malformed' }
      const known = remembered.get(token)
      if (known !== undefined) return known.exp * 1_000 > now() ? { claims: known } : { reason: 'expired' }
      const verdict = await verify(token, keys, now())
      if ('claims' in verdict) remember(token, verdict.claims)
      return verdict
    },
    recall: (token) => {
      const known = remembered.get(token)
      return known !== undefined && known.exp * 1_000 > now() ? known : undefined
    },
  }
}

/** As `openAccessTokenVerifier`, for whoever does not recall. */
export function createAccessTokenVerifier(keys: TokenKeys['access'], now: () => number): VerifyAccessToken {
  return openAccessTokenVerifier(keys, now).verify
}

async function verify(token: string, keys: TokenKeys['access'], nowMs: number): Promise<TokenVerdict> {
  if (!isCanonical(token)) return { reason: 'malformed' }
  try {
    const held = findKey(decodeProtectedHeader(token), keys)
    if (held === undefined) return { reason: 'bad_signature' }
    const { payload } = await jwtVerify(token, held.key, {
      algorithms: [held.alg],
      typ: ACCESS_TOKEN.typ,
      issuer: ACCESS_TOKEN.iss,
      audience: ACCESS_TOKEN.aud,
      requiredClaims: ['sub', 'iat', 'exp', 'jti', 'sid', 'ver'],
      currentDate: new Date(nowMs),
    })
    if (!isOwnSpelling(token)) return { reason: 'malformed' }
    const claims = accessTokenClaims.safeParse(payload)
    return claims.success ? { claims: claims.data } : { reason: 'malformed' }
  } catch (error) {
    return { reason: reasonOf(error) }
  }
}

/** The key that the token names, if it is of the token's algorithm; without a name the one in force. */
function findKey({ kid, alg }: ProtectedHeaderParameters, { verification }: TokenKeys['access']) {
  const held = kid === undefined ? verification[0] : verification.find((key) => key.kid === kid)
  return held?.alg === alg ? held : undefined
}

// One token would otherwise have several spellings: the last character of a part has bits that base64 ignores.
function isCanonical(token: string): boolean {
  return token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
}

// Of a claim that stands there twice one reader takes the first and another the last: what we sign has each once, in the
// spelling of JSON.stringify. Looked at last, since only who holds the key comes this far.
function isOwnSpelling(token: string): boolean {
  return token
    .split('.')
    .slice(0, 2)
    .every((part) => {
      const text = Buffer.from(part, 'base64url').toString()
      return JSON.stringify(JSON.parse(text)) === text
    })
}

function reasonOf(error: unknown): 'malformed' | 'bad_signature' | 'expired' {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad_signature'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'bad_signature'
  if (error instanceof errors.JOSEError || error instanceof TypeError) return 'malformed'
  // Nested deeper than the stack.
  if (error instanceof RangeError) return 'malformed'
  throw error
}
