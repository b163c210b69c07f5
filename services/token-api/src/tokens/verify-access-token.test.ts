import { createHmac, generateKeyPairSync, type webcrypto } from 'node:crypto'
import { type CryptoKey, decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { NOW_MS, sampleClaims } from '../testing/claims.ts'
import { issueAccessToken } from './issue-access-token.ts'
import { issueHandoff } from './issue-handoff.ts'
import { importKeys, type TokenKeys } from './keys.ts'
import { createAccessTokenVerifier, type VerifyAccessToken } from './verify-access-token.ts'

const SECRET = 'kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U'
const OTHER_SECRET = 'Zq8wErT5yUiOp2AsDfG7hJkL4zXcVbN1'

let keys: TokenKeys
let verify: VerifyAccessToken
beforeAll(async () => {
  keys = await importKeys(SECRET, OTHER_SECRET)
  verify = createAccessTokenVerifier(keys.access, () => NOW_MS)
})

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
// Once without a name for the key, as somebody else may write it, and once as we write it, which goes another way.
let goodHeader: { alg: string; typ: string; kid?: string } = { alg: 'HS256', typ: 'at+jwt' }

/** Signs anything with HMAC, also what no library would. */
function forge(header: object, payload: unknown, secret = SECRET, digest = 'sha256'): string {
  const input = `${encode(header)}.${typeof payload === 'string' ? payload : encode(payload)}`
  return `${input}.${createHmac(digest, secret).update(input).digest('base64url')}`
}

/** The good claims without some of them. */
function without(...names: string[]): JWTPayload {
  return Object.fromEntries(Object.entries(sampleClaims()).filter(([name]) => !names.includes(name)))
}

function sign(payload: object, header: { alg: string; typ?: string }, key: CryptoKey | webcrypto.CryptoKey) {
  return new SignJWT({ ...payload }).setProtectedHeader(header).sign(key)
}

const good = () => issueAccessToken(sampleClaims(), keys.access)

/** Replaces one part of a good token. */
async function withPart(index: number, part: (old: string) => string): Promise<string> {
  const parts = (await good()).split('.')
  parts[index] = part(parts[index] ?? '')
  return parts.join('.')
}

function es256(): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return new SignJWT({ ...sampleClaims() }).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' }).sign(privateKey)
}

const FORGERIES: [name: string, token: () => string | Promise<string>][] = [
  ['alg none, no signature', () => `${encode({ alg: 'none', typ: 'at+jwt' })}.${encode(sampleClaims())}.`],
  ['alg none, two parts', () => `${encode({ alg: 'none', typ: 'at+jwt' })}.${encode(sampleClaims())}`],
  ['alg nOnE', () => `${encode({ alg: 'nOnE', typ: 'at+jwt' })}.${encode(sampleClaims())}.`],
  ['alg none with the good signature', async () => withPart(0, () => encode({ alg: 'none', typ: 'at+jwt' }))],
  ['HS512 with our key', () => forge({ ...goodHeader, alg: 'HS512' }, sampleClaims(), SECRET, 'sha512')],
  ['HS384 with our key', () => forge({ ...goodHeader, alg: 'HS384' }, sampleClaims(), SECRET, 'sha384')],
  ['HS256 in the header, HMAC-SHA-512 in truth', () => forge(goodHeader, sampleClaims(), SECRET, 'sha512')],
  ['ES256 with a key of its own', es256],
  ['no alg', () => forge({ typ: 'at+jwt' }, sampleClaims())],
  ['another secret', () => forge(goodHeader, sampleClaims(), OTHER_SECRET)],
  ['an empty secret', () => forge(goodHeader, sampleClaims(), '')],
  ['a key in the header', () => forge({ ...goodHeader, jwk: { kty: 'oct', k: encode('x') } }, sampleClaims(), 'x')],
  ['a critical extension', () => forge({ ...goodHeader, crit: ['b64'], b64: false }, sampleClaims())],
  ['typ JWT', () => forge({ alg: 'HS256', typ: 'JWT' }, sampleClaims())],
  ['no typ', () => forge({ alg: 'HS256' }, sampleClaims())],
  ['typ of a handoff', () => forge({ alg: 'HS256', typ: 'handoff+jwt' }, sampleClaims())],
  ['a handoff', () => issueHandoff(sampleClaims(), keys.handoff)],
  ['a handoff signed with the access key', () => issueHandoff(sampleClaims(), keys.access.signing.key)],
  ['an access token signed with the handoff key', () => sign(sampleClaims(), goodHeader, keys.handoff)],
  ['another issuer', () => forge(goodHeader, { ...sampleClaims(), iss: 'https://evil.example' })],
  ['no issuer', () => forge(goodHeader, without('iss'))],
  ['another audience', () => forge(goodHeader, { ...sampleClaims(), aud: 'librechat-proxy' })],
  ['no audience', () => forge(goodHeader, without('aud'))],
  ['no exp', () => forge(goodHeader, without('exp'))],
  ['exp as text', () => forge(goodHeader, { ...sampleClaims(), exp: '9999999999' })],
  ['exp null', () => forge(goodHeader, { ...sampleClaims(), exp: null })],
  ['not good yet', () => forge(goodHeader, { ...sampleClaims(), nbf: NOW_MS / 1_000 + 60 })],
  ['no sub', () => forge(goodHeader, without('sub'))],
  ['no sid', () => forge(goodHeader, without('sid'))],
  ['no jti', () => forge(goodHeader, without('jti'))],
  ['no ver', () => forge(goodHeader, without('ver'))],
  ['ver negative', () => forge(goodHeader, { ...sampleClaims(), ver: -1 })],
  ['ver as text', () => forge(goodHeader, { ...sampleClaims(), ver: '99' })],
  ['a role that does not exist', () => forge(goodHeader, { ...sampleClaims(), role: 'service_role' })],
  ['no organization', () => forge(goodHeader, without('organization'))],
  ['claims that are an array', () => forge(goodHeader, [sampleClaims()])],
  ['claims that are no JSON', () => forge(goodHeader, Buffer.from('{').toString('base64url'))],
  ['a payload with another role', async () => withPart(1, () => encode({ ...sampleClaims(), role: 'super_admin' }))],
  ['a payload of another spelling', async () => withPart(1, (part) => `${part}=`)],
  ['a signature cut short', async () => withPart(2, (part) => part.slice(0, -4))],
  ['no signature', async () => withPart(2, () => '')],
  ['four parts', async () => `${await good()}.${encode({})}`],
  ['a line break at the end', async () => `${await good()}\n`],
  ['nothing', () => ''],
  ['two dots', () => '..'],
  ['a service key', () => 'tg_0123456789abcdef0123456789abcdef'],
  ['a megabyte', () => 'a'.repeat(1_000_000)],
]

describe.each(['no kid', 'our kid'])('an access token that we did not issue is refused, %s in the header', (kind) => {
  beforeAll(() => {
    const { kid } = keys.access.signing
    goodHeader = { alg: 'HS256', typ: 'at+jwt', ...(kind === 'our kid' ? { kid } : {}) }
  })

  test('sensitivity: with nothing else it is good', async () => {
    expect(await verify(await forge(goodHeader, sampleClaims()))).toEqual({ claims: sampleClaims() })
  })

  test.each(FORGERIES)('%s', async (_name, token) => {
    const verdict = await verify(await token())
    expect(verdict).not.toHaveProperty('claims')
    expect(['malformed', 'bad_signature']).toContain('reason' in verdict && verdict.reason)
  })

  test('the other spellings of the last character of its signature', async () => {
    const token = await good()
    const last = token.slice(-1)
    const spellings = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].filter((c) => c !== last)
    for (const spelling of spellings) {
      expect(await verify(token.slice(0, -1) + spelling), spelling).not.toHaveProperty('claims')
    }
  })

  test('any one bit of it flipped', async () => {
    const token = await good()
    await verify(token)
    for (let place = 0; place < token.length; place++) {
      const flipped = String.fromCharCode(token.charCodeAt(place) ^ 1)
      const changed = token.slice(0, place) + flipped + token.slice(place + 1)
      expect(await verify(changed), `place ${place}`).not.toHaveProperty('claims')
    }
  })
})

test('an issued token carries exactly its claims', async () => {
  const claims = sampleClaims()
  const token = await issueAccessToken(claims, keys.access)
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'at+jwt', kid: keys.access.signing.kid })
  expect(decodeJwt(token)).toEqual(claims)
  expect(await verify(token)).toEqual({ claims })
})

test('a token expires at exp, also one that was seen before', async () => {
  const claims = sampleClaims()
  const token = await issueAccessToken(claims, keys.access)
  let nowMs = NOW_MS
  const verifyThen = createAccessTokenVerifier(keys.access, () => nowMs)
  expect(await verifyThen(token)).toHaveProperty('claims')
  nowMs = claims.exp * 1_000 - 1
  expect(await verifyThen(token)).toHaveProperty('claims')
  nowMs = claims.exp * 1_000
  expect(await verifyThen(token)).toEqual({ reason: 'expired' })
  expect(await createAccessTokenVerifier(keys.access, () => nowMs)(token)).toEqual({ reason: 'expired' })
})

test('a forged token is not called expired', async () => {
  const expired = { ...sampleClaims(), exp: NOW_MS / 1_000 - 60 }
  expect(await verify(forge(goodHeader, expired))).toEqual({ reason: 'expired' })
  expect(await verify(forge(goodHeader, expired, OTHER_SECRET))).toEqual({ reason: 'bad_signature' })
})

test('a handoff says who and where, and no more', async () => {
  const token = await issueHandoff(sampleClaims(), keys.handoff)
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'handoff+jwt' })
  expect(decodeJwt(token)).toEqual({
    org: sampleClaims().organization.id,
    sub: sampleClaims().sub,
    jti: sampleClaims().sid,
    iss: 'tollgate',
    aud: 'librechat-proxy',
    iat: NOW_MS / 1_000,
    exp: NOW_MS / 1_000 + 60,
  })
})
