import { type AccessTokenClaims, accessTokenClaims, type RefusalReason } from '@tollgate/shared/contracts'
import { decodeProtectedHeader, errors, jwtVerify, type ProtectedHeaderParameters } from 'jose'
import { LRUCache } from 'lru-cache'
import type { TokenKeys } from './keys.ts'
import { isCanonical, isOwnSpelling } from './own-spelling.ts'
import { ACCESS_TOKEN, REQUIRED_CLAIMS } from './token-profile.ts'
import { createPromptVerifier, SIGNATURE_CHARACTERS } from './verify-at-once.ts'

/** The claims of a good token, or why it is none. Whether its organization has access is the gate's to say. */
export type TokenVerdict =
  | { readonly claims: AccessTokenClaims }
  | { readonly reason: Extract<RefusalReason, 'malformed' | 'bad_signature' | 'expired'> }

/** Verifies access tokens. An expected refusal is a value; it never throws for what a client sent. */
export type VerifyAccessToken = (token: string) => Promise<TokenVerdict>

/** Verifies access tokens, some of them at once. */
export interface AccessTokenVerifier {
  readonly verify: VerifyAccessToken
  /** A token that is remembered or proves good at once, and has not expired; undefined says nothing. */
  recognise(token: string): Recognised | undefined
}

/** A good token; what is remembered comes as the same object each time. */
export interface Recognised {
  readonly claims: AccessTokenClaims
  readonly isRemembered: boolean
}

const MAX_REMEMBERED = 10_000
const MET_SLOTS = 2 ** 17
const MET_CHARACTERS = 12
const MAX_REMEMBERED_CHARACTERS = 32 * 1024 * 1024
const MAX_TOKEN_LENGTH = 60_000

/**
 * Makes a verifier for a set of keys. It remembers tokens whose signature it has seen to be good; what changes with time
 * is looked at each time.
 */
export function openAccessTokenVerifier(keys: TokenKeys['access'], now: () => number): AccessTokenVerifier {
  const memory = rememberTokens()
  const verifyAtOnce = createPromptVerifier(keys.verification)

  const find = (token: string): Recognised | undefined => {
    if (token.length > MAX_TOKEN_LENGTH) return undefined
    const known = memory.get(token)
    if (known !== undefined) return known
    const claims = verifyAtOnce(token)
    return claims && memory.meet(token, claims)
  }
  return {
    verify: async (token) => {
      if (token.length > MAX_TOKEN_LENGTH) return { reason: 'malformed' }
      const found = find(token)
      if (found !== undefined)
        return found.claims.exp * 1_000 > now() ? { claims: found.claims } : { reason: 'expired' }
      const verdict = await verify(token, keys, now())
      if ('claims' in verdict) memory.set(token, verdict.claims)
      return verdict
    },
    recognise: (token) => {
      const found = find(token)
      return found !== undefined && found.claims.exp * 1_000 > now() ? found : undefined
    },
  }
}

/** A bounded memory of good tokens; those not asked about for longest go first. */
function rememberTokens() {
  // By the end of the signature, since a hash of the whole token takes longer than comparing it. A map compares only what
  // has the same seeded hash, and the token is compared for whoever knows the end alone, so that the time that it takes
  // does not tell how much of a guess was right.
  const remembered = new LRUCache<string, Remembered>({
    max: MAX_REMEMBERED,
    maxSize: MAX_REMEMBERED_CHARACTERS,
    sizeCalculation: ({ token }) => token.length,
  })
  const isMetAgain = openMet()
  const set = (token: string, claims: AccessTokenClaims): Recognised => {
    const entry = { token, claims, isRemembered: true }
    remembered.set(token.slice(-SIGNATURE_CHARACTERS), entry)
    return entry
  }
  return {
    get: (token: string): Recognised | undefined => {
      const entry = remembered.get(token.slice(-SIGNATURE_CHARACTERS))
      return entry?.token === token ? entry : undefined
    },
    set,
    /** Remembers a token that is met for the second time. */
    meet: (token: string, claims: AccessTokenClaims): Recognised =>
      isMetAgain(token) ? set(token, claims) : { claims, isRemembered: false },
  }
}

interface Remembered extends Recognised {
  readonly token: string
}

/**
 * Tells, of good tokens, which was met before: a guess, which only decides what is worth remembering. Of a token that
 * comes once nothing is kept but a number in its place, since what outlives its request costs the garbage collector more
 * than the verification; a later one may take that place.
 */
function openMet(): (token: string) => boolean {
  const slots = new Int32Array(MET_SLOTS)
  return (token) => {
    let mark = 1
    for (let index = token.length - MET_CHARACTERS; index < token.length; index += 1) {
      mark = Math.imul(mark, 31) + token.charCodeAt(index)
    }
    mark |= 1
    const slot = (mark >>> 1) % MET_SLOTS
    const isMet = slots[slot] === mark
    slots[slot] = isMet ? 0 : mark
    return isMet
  }
}

/** As `openAccessTokenVerifier`, for whoever does not recall. */
export function createAccessTokenVerifier(keys: TokenKeys['access'], now: () => number): VerifyAccessToken {
  return openAccessTokenVerifier(keys, now).verify
}

async function verify(token: string, keys: TokenKeys['access'], nowMs: number): Promise<TokenVerdict> {
  const parts = token.split('.')
  if (!parts.every(isCanonical)) return { reason: 'malformed' }
  try {
    const held = findKey(decodeProtectedHeader(token), keys)
    if (held === undefined) return { reason: 'bad_signature' }
    const { payload, protectedHeader } = await jwtVerify(token, held.key, {
      algorithms: [held.alg],
      typ: ACCESS_TOKEN.typ,
      issuer: ACCESS_TOKEN.iss,
      audience: ACCESS_TOKEN.aud,
      requiredClaims: [...REQUIRED_CLAIMS],
      currentDate: new Date(nowMs),
    })
    // Looked at last, since only who holds the key comes this far.
    const isOwn = isOwnSpelling(parts[0] ?? '', protectedHeader) && isOwnSpelling(parts[1] ?? '', payload)
    if (!isOwn) return { reason: 'malformed' }
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

function reasonOf(error: unknown): 'malformed' | 'bad_signature' | 'expired' {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad_signature'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'bad_signature'
  if (error instanceof errors.JOSEError || error instanceof TypeError) return 'malformed'
  // Nested deeper than the stack.
  if (error instanceof RangeError) return 'malformed'
  throw error
}
