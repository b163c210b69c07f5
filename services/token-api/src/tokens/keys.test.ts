import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { decodeProtectedHeader, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { NOW_MS, sampleClaims } from '../testing/claims.ts'
import { issueAccessToken } from './issue-access-token.ts'
import { importKeys, type TokenKeys } from './keys.ts'
import { createAccessTokenVerifier } from './verify-access-token.ts'

const SECRET = 'kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U'
const OLD_SECRET = 'Zq8wErT5yUiOp2AsDfG7hJkL4zXcVbN1'
const REFRESH = 'Bn6mQw3eRt9yUi2oPa5sDf8gHj1kLz4x'
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

let shared: TokenKeys
let rotated: TokenKeys
let paired: TokenKeys
beforeAll(async () => {
  shared = await importKeys(OLD_SECRET, REFRESH)
  rotated = await importKeys(SECRET, REFRESH, { previousSecrets: [OLD_SECRET] })
  paired = await importKeys(SECRET, REFRESH, { signingKey: pem.replaceAll('\n', '\\n') })
})

const verdictOf = async (token: string, { access }: TokenKeys) => {
  const verdict = await createAccessTokenVerifier(access, () => NOW_MS)(token)
  return 'claims' in verdict ? 'good' : verdict.reason
}
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const hmac = (header: object, key: string | KeyObject) => {
  const input = `${encode(header)}.${encode(sampleClaims())}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}

describe('rotation', () => {
  test('tokens of the secret before stay good, new ones are signed with the new one', async () => {
    const old = await issueAccessToken(sampleClaims(), shared.access)
    const fresh = await issueAccessToken(sampleClaims(), rotated.access)
    expect(decodeProtectedHeader(old).kid).not.toBe(decodeProtectedHeader(fresh).kid)
    expect([await verdictOf(old, rotated), await verdictOf(fresh, rotated)]).toEqual(['good', 'good'])
    expect(await verdictOf(fresh, shared)).toBe('bad_signature')
  })

  test('from a secret to a key pair and on to another: what is not listed is refused', async () => {
    const next = await importKeys(SECRET, REFRESH, {
      signingKey: JSON.stringify(
        generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
      ),
      previousSecrets: [OLD_SECRET],
      previousPublicKeys: JSON.stringify({ keys: paired.access.published }),
    })
    for (const former of [shared, paired]) {
      expect(await verdictOf(await issueAccessToken(sampleClaims(), former.access), next)).toBe('good')
    }
    expect(next.access.published).toHaveLength(2)
    expect(JSON.stringify(next.access.published)).not.toMatch(/"d"/)
    expect(await verdictOf(await issueAccessToken(sampleClaims(), shared.access), paired)).toBe('bad_signature')
  })

  test('a token without kid is taken for one of the key in force', async () => {
    expect(await verdictOf(hmac({ alg: 'HS256', typ: 'at+jwt' }, SECRET), rotated)).toBe('good')
    expect(await verdictOf(hmac({ alg: 'HS256', typ: 'at+jwt' }, OLD_SECRET), rotated)).toBe('bad_signature')
  })

  test('a key of another curve or kind ends the start', async () => {
    const wrong = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    const signingKey = wrong.export({ type: 'pkcs8', format: 'pem' }).toString()
    await expect(importKeys(SECRET, REFRESH, { signingKey })).rejects.toThrow(TypeError)
  })
})

describe('with a key pair in force, no token of another family or key is taken', () => {
  const kid = () => paired.access.signing.kid
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const attacker = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = attacker.publicKey.export({ format: 'jwk' })
  const withHeader = (header: object) =>
    new SignJWT(sampleClaims() as never)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header })
      .sign(attacker.privateKey)

  test.each<[string, () => string | Promise<string>]>([
    ['the public key (PEM) as a secret', () => hmac({ alg: 'HS256', typ: 'at+jwt', kid: kid() }, publicPem)],
    ['the public key (PEM) as a secret, without kid', () => hmac({ alg: 'HS256', typ: 'at+jwt' }, publicPem)],
    [
      'the public key (JWK) as a secret',
      () => hmac({ alg: 'HS256', typ: 'at+jwt', kid: kid() }, JSON.stringify(paired.access.published[0])),
    ],
    ['the shared secret, which is not in force', () => hmac({ alg: 'HS256', typ: 'at+jwt' }, SECRET)],
    ['the shared secret under the pair’s kid', () => hmac({ alg: 'HS256', typ: 'at+jwt', kid: kid() }, SECRET)],
    ['an attacker’s key in jwk', () => withHeader({ jwk })],
    ['an attacker’s key in jwk under our kid', () => withHeader({ jwk, kid: kid() })],
    ['an attacker’s jku', () => withHeader({ jku: 'https://evil.example/jwks.json', kid: 'evil' })],
    ['an attacker’s x5u', () => withHeader({ x5u: 'https://evil.example/cert.pem' })],
    ['an attacker’s x5c', () => withHeader({ x5c: ['MIIB'] })],
    ['kid that climbs', () => withHeader({ kid: '../../../../dev/null' })],
    ['kid with SQL', () => withHeader({ kid: "x' union select 'secret' --" })],
    ['kid with NUL', () => withHeader({ kid: `${kid()}\0` })],
    ['kid in other letters', () => withHeader({ kid: kid().toUpperCase() })],
    ['kid __proto__', () => withHeader({ kid: '__proto__' })],
    ['kid empty', () => withHeader({ kid: '' })],
  ])('%s', async (_, make) => {
    expect(await verdictOf(await make(), paired)).toBe('bad_signature')
  })

  test('kid that is no text is no header', async () => {
    const token = await issueAccessToken(sampleClaims(), paired.access)
    const [, payload, signature] = token.split('.')
    for (const bad of [1, null, {}, ['a']]) {
      const header = encode({ alg: 'ES256', typ: 'at+jwt', kid: bad })
      expect(['malformed', 'bad_signature']).toContain(await verdictOf(`${header}.${payload}.${signature}`, paired))
    }
  })
})
