import { expect, test } from 'vitest'
import { DEFAULT_RATE_LIMITS, rateLimits } from './read-rate-limits.ts'

test('what is not named keeps its default, and off limits nobody', () => {
  expect(rateLimits.parse('')).toEqual(DEFAULT_RATE_LIMITS)
  expect(rateLimits.parse('people=5, servers=7')).toEqual({ ...DEFAULT_RATE_LIMITS, people: 5, servers: 7 })
  expect(rateLimits.parse('off')).toBeNull()
})

test.each(['people', 'people=0', 'people=-1', 'somebody=5', '__proto__=5', 'people=1e9', 'on'])(
  '%s is refused',
  (text) => {
    expect(rateLimits.safeParse(text).success).toBe(false)
  },
)
