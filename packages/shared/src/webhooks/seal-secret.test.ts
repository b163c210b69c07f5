import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSecretBox, SealError } from './seal-secret.ts'

const [OLD, NEW] = ['the key of last year, long enough', 'the key of this year, long enough']

describe('sealed secrets', () => {
  test('open again, and show nothing of what they hold', () => {
    const box = createSecretBox([NEW])
    fc.assert(
      fc.property(fc.string({ minLength: 4 }), fc.uuid(), (secret, owner) => {
        const sealed = box.seal(secret, owner)
        expect(box.open(sealed, owner)).toBe(secret)
        expect(sealed).not.toContain(secret)
        expect(box.seal(secret, owner)).toBe(sealed)
        expect(box.seal(secret, `${owner}2`)).not.toBe(sealed)
      }),
    )
  })

  test('an older key still opens, and what it sealed can be told by its beginning', () => {
    const sealed = createSecretBox([OLD]).seal('whsec_dGVzdA==', 'hook')
    const box = createSecretBox([NEW, OLD])
    expect(box.open(sealed, 'hook')).toBe('whsec_dGVzdA==')
    expect(box.sealPrefix).toBeDefined()
    expect([sealed, box.seal('x', 'hook')].map((seal) => seal.startsWith(box.sealPrefix ?? '-'))).toEqual([false, true])
    expect(() => createSecretBox([NEW]).open(sealed, 'hook')).toThrow(SealError)
  })

  test('another owner, a changed bit, a cut end and plain text do not open', () => {
    const box = createSecretBox([NEW])
    const sealed = box.seal('whsec_dGVzdA==', 'hook')
    expect(() => box.open(sealed, 'other')).toThrow(SealError)
    expect(() => box.open(sealed.slice(0, -4), 'hook')).toThrow(SealError)
    const [head, id, body = ''] = sealed.split('.')
    const bytes = Buffer.from(body, 'base64url')
    for (const place of bytes.keys()) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(place) ^ 1, place)
      expect(() => box.open(`${head}.${id}.${changed.toString('base64url')}`, 'hook')).toThrow(SealError)
    }
    expect(() => box.open('whsec_dGVzdA==', 'hook')).toThrow(SealError)
  })

  test('without a key nothing is sealed', () => {
    expect(createSecretBox([]).sealPrefix).toBeUndefined()
    expect(() => createSecretBox([]).seal('x', 'hook')).toThrow(SealError)
  })
})
