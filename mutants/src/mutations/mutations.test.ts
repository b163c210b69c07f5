import { expect, test } from 'vitest'
import { MUTATIONS } from './index.ts'

// That each fits the sources is a matter of `pnpm check`.
test('there are at least twelve, each under a name of its own', () => {
  expect(MUTATIONS.length).toBeGreaterThanOrEqual(12)
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length)
})
