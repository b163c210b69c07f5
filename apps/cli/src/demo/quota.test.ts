import fc from 'fast-check'
import { expect, it } from 'vitest'
import { hasReached, limitFor, stateAt } from './quota.ts'

it('gives the state of the default ladder', () => {
  const states = [49, 50, 99, 100, 119, 120].map((used) => stateAt(BigInt(used), 100))
  expect(states).toEqual(['active', 'warned', 'warned', 'downgraded', 'downgraded', 'revoked'])
  expect(stateAt(10n ** 12n, null)).toBe('active')
})

it('fits a limit that is reached at the percentage', () => {
  fc.assert(
    fc.property(fc.bigInt(1_000n, 10n ** 12n), fc.integer({ min: 1, max: 300 }), (used, percent) => {
      expect(hasReached(used, limitFor(used, percent), percent)).toBe(true)
    }),
  )
})
