import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { type AccessTokenClaims, accessTokenClaims } from '@tollgate/shared/contracts'
import type { AccessKey } from './keys.ts'
import { isOwnSpelling } from './own-spelling.ts'
import { ACCESS_TOKEN, writeAccessHeader } from './token-profile.ts'

/** The claims of a token that is good but perhaps for its time; undefined says nothing. */
export type VerifyAtOnce = (token: string) => AccessTokenClaims | undefined

/**
 * Makes the verifier that waits for nothing, for tokens of shared secrets. It takes those alone whose header is, byte for
 * byte, what we sign with: no word of a header is ever interpreted here, so that there is no algorithm and no key to
 * confuse. Whatever else there is goes the long way, which also says what is wrong.
 */
export function createPromptVerifier(keys: readonly AccessKey[]): VerifyAtOnce {
  const held = keys.flatMap((key) => (key.alg === 'HS256' ? [withHeader(key.kid, key.secret)] : []))
  return (token) => {
    const bodyEnd = token.length - SIGNATURE_CHARACTERS - 1
    const key = held.find(({ start }) => token.startsWith(start))
    if (key === undefined || token[bodyEnd] !== '.' || !isSigned(token, bodyEnd, key.secret)) return undefined
    return readClaims(token.slice(key.start.length, bodyEnd))
  }
}

/** Of 32 bytes in base64. */
export const SIGNATURE_CHARACTERS = 43

function withHeader(kid: string, secret: Uint8Array): { start: string; secret: KeyObject } {
  const header = JSON.stringify(writeAccessHeader('HS256', kid))
  return { start: `${Buffer.from(header).toString('base64url')}.`, secret: createSecretKey(secret) }
}

/** HS256 (RFC 7518 3.2). Compared as text, so that a signature has one spelling. */
function isSigned(token: string, bodyEnd: number, secret: KeyObject): boolean {
  const mac = createHmac('sha256', secret).update(token.slice(0, bodyEnd)).digest('base64url')
  const [given, expected] = [Buffer.from(token.slice(bodyEnd + 1)), Buffer.from(mac)]
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** The claims of a signed body, if they are those of an access token of ours, each there once. */
function readClaims(body: string): AccessTokenClaims | undefined {
  try {
    const payload: object = JSON.parse(Buffer.from(body, 'base64url').toString())
    if (!isOwnSpelling(body, payload) || 'nbf' in payload) return undefined
    const { data } = accessTokenClaims.safeParse(payload)
    return data?.iss === ACCESS_TOKEN.iss && data.aud === ACCESS_TOKEN.aud ? data : undefined
  } catch {
    // No JSON, no object, or nested deeper than the stack: from whoever holds the key, since it is signed.
    return undefined
  }
}
