import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSupabaseTokenVerifier, type VerifySupabaseToken } from './verify-supabase-token.ts'

const SECRET = 'kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U'
const USER = 'd3b07384-d9a0-4c9e-8f1a-000000000001'
const START_MS = Date.UTC(2026, 10, 23)

let server: Server
let published: JWK[]
let reads: number
let isAway: boolean
let nowMs: number
let verify: VerifySupabaseToken

beforeEach(async () => {
  published = []
  reads = 0
  isAway = false
  nowMs = START_MS
  server = createServer((_request, response) => {
    reads += 1
    if (isAway) response.writeHead(503).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: published }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
  verify = createSupabaseTokenVerifier({ issuer: 'iss', keys: { jwtSecret: SECRET, jwksUrl }, now: () => nowMs })
})
afterEach(() => server.close())

async function newKey(kid: string, alg: 'ES256' | 'RS256' = 'ES256') {
  const { publicKey, privateKey } = await generateKeyPair(alg)
  const sign = (header: object = {}) =>
    new SignJWT({ aud: 'authenticated', iss: 'iss' })
      .setProtectedHeader({ alg, kid, ...header })
      .setSubject(USER)
      .setExpirationTime(START_MS / 1_000 + 7 * 86_400)
      .sign(privateKey)
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg }, sign }
}

describe('public keys of the project', () => {
  test('are read once and used for ten minutes', async () => {
    const key = await newKey('a')
    published = [key.jwk]
    for (let round = 0; round < 5; round++) expect(await verify(await key.sign())).toMatchObject({ userId: USER })
    expect(reads).toBe(1)
  })

  test('are rotated without a restart: an unknown kid makes it read again, at most twice a minute', async () => {
    const [old, fresh] = [await newKey('a'), await newKey('b', 'RS256')]
    published = [old.jwk]
    await verify(await old.sign())
    published = [old.jwk, fresh.jwk]
    expect(await verify(await fresh.sign())).toEqual({ reason: 'bad_signature' })
    nowMs += 31_000
    expect(await verify(await fresh.sign())).toMatchObject({ userId: USER })
    const before = reads
    const stranger = await newKey('nobody')
    for (let round = 0; round < 20; round++)
      expect(await verify(await stranger.sign())).toEqual({ reason: 'bad_signature' })
    expect(reads - before).toBeLessThanOrEqual(1)
  })

  test('survive that the endpoint is away, for a day', async () => {
    const key = await newKey('a')
    published = [key.jwk]
    await verify(await key.sign())
    isAway = true
    nowMs += 23 * 3_600_000
    expect(await verify(await key.sign())).toMatchObject({ userId: USER })
    const unknown = await newKey('b')
    await expect(verify(await unknown.sign())).rejects.toMatchObject({ code: 'unavailable' })
    nowMs += 3_600_001
    await expect(verify(await key.sign())).rejects.toMatchObject({ code: 'unavailable' })
    isAway = false
    nowMs += 3_000
    expect(await verify(await key.sign())).toMatchObject({ userId: USER })
  })

  test('are asked for when the clock was set back, and go on meanwhile', async () => {
    const [old, fresh] = [await newKey('a'), await newKey('b')]
    published = [old.jwk]
    await verify(await old.sign())
    nowMs -= 7_200_000
    isAway = true
    expect(await verify(await old.sign())).toMatchObject({ userId: USER })
    isAway = false
    published = [old.jwk, fresh.jwk]
    nowMs += 3_000
    expect(await verify(await fresh.sign())).toMatchObject({ userId: USER })
  })

  test('a symmetric key among them counts for nothing', async () => {
    published = [{ kty: 'oct', kid: 'a', alg: 'HS256', k: Buffer.from(SECRET).toString('base64url') }]
    const key = await newKey('a')
    expect(await verify(await key.sign())).toEqual({ reason: 'bad_signature' })
  })
})

test('with both families configured, neither is taken for the other', async () => {
  const key = await newKey('a')
  published = [key.jwk]
  expect(await verify(await key.sign())).toMatchObject({ userId: USER })
  const hmac = (secret: string, header: object = {}) =>
    new SignJWT({ aud: 'authenticated', iss: 'iss' })
      .setProtectedHeader({ alg: 'HS256', ...header })
      .setSubject(USER)
      .setExpirationTime(START_MS / 1_000 + 60)
      .sign(new TextEncoder().encode(secret))
  expect(await verify(await hmac(SECRET))).toMatchObject({ userId: USER })
  expect(await verify(await hmac(JSON.stringify(key.jwk), { kid: 'a' }))).toEqual({ reason: 'bad_signature' })
  const [, payload, signature] = (await key.sign()).split('.')
  const header = Buffer.from(JSON.stringify({ alg: 'HS256', kid: 'a' })).toString('base64url')
  expect(await verify(`${header}.${payload}.${signature}`)).toEqual({ reason: 'bad_signature' })
})
