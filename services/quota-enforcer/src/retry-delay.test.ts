import { expect, test } from 'vitest'
import { retryDelayMs } from './retry-delay.ts'

test('ten attempts over more than three days, later ones further apart, then it is given up', () => {
  const delays = Array.from({ length: 9 }, (_, index) => retryDelayMs(index + 1, () => 0) ?? 0)
  expect(delays).toEqual([...delays].sort((a, b) => a - b))
  expect(delays.reduce((sum, delay) => sum + delay, 0)).toBeGreaterThan(3 * 86_400_000)
  expect(retryDelayMs(10, () => 0)).toBeNull()
  expect(retryDelayMs(1, () => 0.5)).toBe(5_500)
})
