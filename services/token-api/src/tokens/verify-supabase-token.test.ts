import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSupabaseTokenVerifier, type VerifySupabaseToken } from './verify-supabase-token.ts'

const NOW_MS = Date.UTC(2026, 10, 23, 10)
const ISSUER = 'https://project.supabase.example/auth/v1'
const SECRET = 'super-secret-jwt-token-with-at-least-32-characters-long'
const USER_ID = 'D3B07384-D9A0-4C9E-8F1A-000000000001'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const claims = { role: 'authenticated', is_anonymous: false, session_id: randomUUID() }

interface Changes {
  readonly header?: { alg: string; kid?: string }
  readonly payload?: object
  readonly key?: Parameters<SignJWT['sign']>[0]
}

function sign(base: Changes, changes: Changes = {}): Promise<string> {
  const { header = { alg: 'HS256' }, key = Buffer.from(SECRET) } = { ...base, ...changes }
  const iat = NOW_MS / 1_000
  const defaults = { ...claims, sub: USER_ID, iss: ISSUER, aud: 'authenticated', iat, exp: iat + 3_600 }
  return new SignJWT({ ...defaults, ...changes.payload }).setProtectedHeader({ typ: 'JWT', ...header }).sign(key)
}

let server: Server
let jwksUrl: string
beforeAll(async () => {
  const keys = [
    { ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES256', use: 'sig' },
    { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256', use: 'sig' },
  ]
  server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(() => server.close())

const verifySecret = createSupabaseTokenVerifier({ issuer: ISSUER, keys: { jwtSecret: SECRET }, now: () => NOW_MS })
const verifyKeys: VerifySupabaseToken = (token) =>
  createSupabaseTokenVerifier({ issuer: ISSUER, keys: { jwksUrl }, now: () => NOW_MS })(token)
const withEc = (changes: Changes = {}) => sign({ header: { alg: 'ES256', kid: 'ec' }, key: ec.privateKey }, changes)

describe('a token of a signed-in user is good', () => {
  test('HS256 with the secret', async () => {
    expect(await verifySecret(await sign({}))).toMatchObject({ userId: USER_ID.toLowerCase() })
  })
  test('HS256 without an issuer, as @supabase/lite signs it', async () => {
    expect(await verifySecret(await sign({}, { payload: { iss: undefined } }))).toHaveProperty('userId')
  })
  test('ES256 and RS256 with the public keys', async () => {
    expect(await verifyKeys(await withEc())).toHaveProperty('userId')
    const rs256 = await sign({ header: { alg: 'RS256', kid: 'rsa' }, key: rsa.privateKey })
    expect(await verifyKeys(rs256)).toHaveProperty('userId')
  })
  test('within five seconds of its end', async () => {
    const exp = NOW_MS / 1_000 - 4
    expect(await verifySecret(await sign({}, { payload: { exp } }))).toHaveProperty('userId')
  })
})

describe('a token that the project did not sign for a user is refused', () => {
  const REFUSED: [name: string, changes: Changes, reason: string][] = [
    ['expired', { payload: { exp: NOW_MS / 1_000 - 6 } }, 'expired'],
    ['no exp', { payload: { exp: undefined } }, 'malformed'],
    ['another secret', { key: Buffer.from('another-secret-of-32-bytes-or-so!') }, 'bad_signature'],
    ['HS512', { header: { alg: 'HS512' }, key: Buffer.from(SECRET.padEnd(64, '!')) }, 'bad_signature'],
    ['another issuer', { payload: { iss: 'https://evil.example/auth/v1' } }, 'malformed'],
    ['another audience', { payload: { aud: 'librechat' } }, 'malformed'],
    ['no audience', { payload: { aud: undefined } }, 'malformed'],
    ['the anon key of a project', { payload: { aud: undefined, sub: undefined, role: 'anon' } }, 'malformed'],
    ['an anonymous user', { payload: { is_anonymous: true } }, 'anonymous'],
    ['an anonymous user, as text', { payload: { is_anonymous: 'true' } }, 'anonymous'],
    ['no sub', { payload: { sub: undefined } }, 'malformed'],
    ['a sub that is no uuid', { payload: { sub: "' or 1=1 --" } }, 'malformed'],
  ]
  test.each(REFUSED)('%s', async (_name, changes, reason) => {
    expect(await verifySecret(await sign({}, changes))).toEqual({ reason })
  })

  test('alg none', async () => {
    const [, payload] = (await sign({})).split('.')
    const header = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
    expect(await verifySecret(`${header}.${payload}.`)).toEqual({ reason: 'bad_signature' })
  })

  test('one family of keys for the other', async () => {
    // The classic confusion: the public key, which everybody has, taken for an HMAC secret.
    const pem = ec.publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const confused = await sign({ header: { alg: 'HS256', kid: 'ec' }, key: Buffer.from(pem) })
    expect(await verifyKeys(confused)).toEqual({ reason: 'bad_signature' })
    expect(await verifyKeys(await sign({}))).toEqual({ reason: 'bad_signature' })
    expect(await verifySecret(await withEc())).toEqual({ reason: 'bad_signature' })
  })

  test('a key that the project does not have, and no issuer', async () => {
    expect(await verifyKeys(await withEc({ header: { alg: 'ES256', kid: 'other' } }))).toEqual({
      reason: 'bad_signature',
    })
    expect(await verifyKeys(await withEc({ payload: { iss: undefined } }))).toEqual({ reason: 'malformed' })
  })

  test('what is no token', async () => {
    for (const text of ['', '.', '..', 'a.b.c', 'eyJ', 'a'.repeat(100_000)]) {
      expect(await verifySecret(text), text).toHaveProperty('reason')
    }
  })
})

test('a project whose keys cannot be read makes the check unavailable, not the token bad', async () => {
  const verify = createSupabaseTokenVerifier({
    issuer: ISSUER,
    keys: { jwksUrl: 'http://127.0.0.1:9/' },
    now: () => NOW_MS,
  })
  await expect(verify(await withEc())).rejects.toMatchObject({ code: 'unavailable' })
})
