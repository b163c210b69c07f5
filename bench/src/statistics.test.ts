import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { median, percentile, ratioOf, spreadOf } from './statistics.ts'

const figures = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 })

describe('median', () => {
  test('is the middle, or the mean of the middle two', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1, 2, 9])).toBe(3)
    expect(() => median([])).toThrow(RangeError)
  })

  test('does not reorder what it is given', () => {
    const given = [3, 1, 2]
    median(given)
    expect(given).toEqual([3, 1, 2])
  })
})

describe('percentile', () => {
  test('is the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
    expect(percentile(hundred, 50)).toBe(50)
    expect(percentile(hundred, 99)).toBe(99)
    expect(percentile(hundred, 100)).toBe(100)
    expect(percentile([7], 99)).toBe(7)
    expect(() => percentile([], 50)).toThrow(RangeError)
  })

  test('is one of the figures, and rises with the percent', () => {
    fc.assert(
      fc.property(figures, fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), (given, one, other) => {
        expect(given).toContain(percentile(given, one))
        expect(percentile(given, Math.min(one, other))).toBeLessThanOrEqual(percentile(given, Math.max(one, other)))
      }),
    )
  })
})

test('a spread holds its median', () => {
  fc.assert(
    fc.property(figures, (given) => {
      const { value, min, max } = spreadOf(given)
      expect(min).toBeLessThanOrEqual(value)
      expect(value).toBeLessThanOrEqual(max)
    }),
  )
})

describe('ratioOf', () => {
  test('divides within a round, so that a slow round cancels out', () => {
    expect(ratioOf([80, 8, 40], [100, 10, 50])).toEqual({ value: 0.8, min: 0.8, max: 0.8 })
  })

  test('refuses sides of different length', () => {
    expect(() => ratioOf([1], [1, 2])).toThrow(RangeError)
  })
})
