import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readCanonicalHold } from './canonical-hold.ts'
import { reservationRequest } from './reservations.ts'

const request = fc.record(
  {
    organization_id: fc.uuid(),
    user_id: fc.uuid(),
    session_id: fc.string({ minLength: 1, maxLength: 20 }),
    total_tokens: fc.integer({ min: 1, max: 1_000_000_000 }),
    ttl_seconds: fc.integer({ min: 1, max: 3_600 }),
    extra: fc.string(),
  },
  { requiredKeys: ['organization_id', 'user_id', 'session_id', 'total_tokens'] },
)
// What a sender may get wrong, at a place of its own.
const oddities = [
  ...['', 'x'.repeat(201), 'a\u0000b', '\ud800', 'NOT-A-UUID', '5B1F5A5E-0000-4000-8000-000000000001', '1'],
  ...[-1, 0, -0, 0.5, 1e9 + 1, 3_601, Number.NaN, Number.POSITIVE_INFINITY, true, null, [], {}, undefined],
]
const NAMES = ['organization_id', 'user_id', 'session_id', 'total_tokens', 'ttl_seconds']

test('takes what the schema takes, and gives the same', () => {
  // A field more is one that the quick look would drop.
  expect(Object.keys(reservationRequest.shape)).toEqual(NAMES)
  fc.assert(
    fc.property(request, (value) => {
      expect(readCanonicalHold(value)).toEqual(reservationRequest.parse(value))
    }),
  )
})

test('takes nothing that the schema refuses, and no other reading of it', () => {
  fc.assert(
    fc.property(request, fc.constantFrom(...NAMES), fc.constantFrom(...oddities), (value, name, oddity) => {
      const spoilt = { ...value, [name]: oddity }
      const read = readCanonicalHold(spoilt)
      if (read !== undefined) expect(reservationRequest.safeParse(spoilt).data).toEqual(read)
    }),
  )
  for (const value of [null, undefined, 'x', 1, [], [{}]]) expect(readCanonicalHold(value)).toBeUndefined()
})
