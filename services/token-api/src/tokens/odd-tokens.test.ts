import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { NOW_MS, sampleClaims } from '../testing/claims.ts'
import { issueAccessToken } from './issue-access-token.ts'
import { importKeys, type TokenKeys } from './keys.ts'
import { writeAccessHeader } from './token-profile.ts'
import { createAccessTokenVerifier, type VerifyAccessToken } from './verify-access-token.ts'

const SECRET = 'kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U'
// As we write it, and as somebody else may: the two go different ways.
const HEADERS: [string, () => string][] = [
  ['our header', () => JSON.stringify(writeAccessHeader('HS256', keys.access.signing.kid))],
  ['a header without a kid', () => '{"alg":"HS256","typ":"at+jwt"}'],
]
let header: string

let keys: TokenKeys
let verify: VerifyAccessToken
beforeAll(async () => {
  keys = await importKeys(SECRET, 'Zq8wErT5yUiOp2AsDfG7hJkL4zXcVbN1')
  verify = createAccessTokenVerifier(keys.access, () => NOW_MS)
})

/** Signs texts with our own key, as nobody but us can: what stands in them is the only thing that is wrong. */
function sign(payload: string, ownHeader = header): string {
  const input = [ownHeader, payload].map((text) => Buffer.from(text).toString('base64url')).join('.')
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`
}

const claims = JSON.stringify(sampleClaims())
const twice = (name: string, value: unknown) => [
  claims.replace('{', `{${JSON.stringify(name)}:${JSON.stringify(value)},`),
  claims.replace(/}$/, `,${JSON.stringify(name)}:${JSON.stringify(value)}}`),
]

describe.each(HEADERS)('with %s', (_name, headerOf) => {
  beforeAll(() => {
    header = headerOf()
  })

  test('sensitivity: the same text without the fault is good', async () => {
    expect(await verify(sign(claims))).toEqual({ claims: sampleClaims() })
  })

  describe('refused although the signature is good', () => {
    test.each([
      ['role', 'super_admin'],
      ['sub', '5b1f5a5e-0000-4000-8000-00000000000f'],
      ['exp', NOW_MS],
      ['sid', '0b5d7f1c-0000-4000-8000-00000000000f'],
      ['ver', 99],
      ['organization', { ...sampleClaims().organization, id: 'ac3e0000-0000-4000-8000-00000000000f' }],
    ])('the claim %s twice', async (name, value) => {
      for (const payload of twice(name, value)) expect(await verify(sign(payload))).toEqual({ reason: 'malformed' })
    })

    test('a body in the other alphabet, with padding, or with idle bits', async () => {
      const [name = '', body = '', _signature] = sign(
        JSON.stringify({ ...sampleClaims(), name: '\u00ff\u00ff?>?>??' }),
      ).split('.')
      const other = body.replaceAll('-', '+').replaceAll('_', '/')
      expect(other).not.toBe(body)
      for (const odd of [other, `${body}=`, `${body}A`, `${body}.`]) {
        const input = `${name}.${odd}`
        const signature = createHmac('sha256', SECRET).update(input).digest('base64url')
        expect(await verify(`${input}.${signature}`)).toEqual({ reason: 'malformed' })
      }
    })

    test('a claim twice inside the organization, or under an escaped name', async () => {
      const inside = claims.replace('"organization":{', '"organization":{"id":"ac3e0000-0000-4000-8000-00000000000f",')
      const escaped = claims.replace('{', '{"r\\u006fle":"super_admin",')
      for (const payload of [inside, escaped]) {
        expect(payload).not.toBe(claims)
        expect(await verify(sign(payload))).toEqual({ reason: 'malformed' })
      }
    })

    test.each(['{"alg":"none","alg":"HS256","typ":"at+jwt"}', '{"alg":"HS256","typ":"JWT","typ":"at+jwt"}'])(
      'the header %s',
      async (odd) => expect(await verify(sign(claims, odd))).toEqual({ reason: 'malformed' }),
    )
  })

  describe('nested and large ones end in a refusal', () => {
    const nested = (depth: number, open: string, close: string) =>
      claims.replace(/}$/, `,"x":${open.repeat(depth)}1${close.repeat(depth)}}`)

    test.each([
      ['arrays', nested(20_000, '[', ']')],
      ['objects', nested(7_000, '{"a":', '}')],
    ])('%s in one another, thousands deep', async (_name, payload) => {
      const token = sign(payload)
      expect(token.length).toBeLessThan(70_000)
      // Signed by us it may be harmless; from anybody else it is refused before it is looked into.
      const verdict = await verify(token)
      if ('claims' in verdict) expect(verdict.claims).toEqual(sampleClaims())
      expect(await verify(`${token.slice(0, -8)}AAAAAAAA`)).not.toHaveProperty('claims')
      expect(
        await verify(sign(claims, `{"alg":"HS256","typ":"at+jwt","x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)),
      ).not.toHaveProperty('claims')
    })

    test('longer than any header that passes', async () => {
      const long = JSON.stringify({ ...sampleClaims(), name: 'x'.repeat(60_000) })
      expect(await verify(sign(long))).toEqual({ reason: 'malformed' })
    })
  })
})

test('none of 10,000 mutated tokens is accepted', async () => {
  const token = await issueAccessToken(sampleClaims(), keys.access)
  expect(await verify(token)).toHaveProperty('claims')
  const place = fc.nat(token.length - 1)
  const text = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(...'ABCxyz019-_.=+/ \t\u0430\u200b') })
  const mutated = fc.oneof(
    fc.tuple(place, text).map(([at, piece]) => token.slice(0, at) + piece + token.slice(at + piece.length)),
    fc.tuple(place, text).map(([at, piece]) => token.slice(0, at) + piece + token.slice(at)),
    fc.tuple(place, fc.integer({ min: 1, max: 40 })).map(([at, n]) => token.slice(0, at) + token.slice(at + n)),
    fc.tuple(place, place).map(([one, other]) => token.slice(one) + token.slice(0, other)),
    fc
      .tuple(place, fc.constantFrom(1, 2, 4, 8, 16, 32))
      .map(([at, bit]) => token.slice(0, at) + String.fromCharCode(token.charCodeAt(at) ^ bit) + token.slice(at + 1)),
  )
  const others = fc.sample(mutated, { numRuns: 12_000, seed: 20_261_126 }).filter((other) => other !== token)
  expect(others.length).toBeGreaterThan(10_000)
  const accepted: string[] = []
  for (const other of others) if ('claims' in (await verify(other))) accepted.push(other)
  expect(accepted).toEqual([])
}, 120_000)
