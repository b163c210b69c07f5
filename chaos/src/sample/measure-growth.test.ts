import { expect, test } from 'vitest'
import { measureGrowth, median, type Point } from './measure-growth.ts'

const points = (values: readonly number[]): Point[] => values.map((value, index) => [index * 2, value])

test('a value that stays has not grown, however it jumps about', () => {
  expect(measureGrowth(points([100, 100, 100, 100]))).toBe(0)
  expect(Math.abs(measureGrowth(points([100, 180, 101, 99, 100, 20, 100, 101, 99, 100])))).toBeLessThan(5)
})

test('a leak is found behind saw teeth: each restart gives back less than was taken', () => {
  const saw = Array.from({ length: 200 }, (_, index) => 100 + (index % 20) * 3 + index * 0.5)
  expect(measureGrowth(points(saw))).toBeGreaterThan(70)
})

test('nothing can be said of one point, and the median of an even number lies between two', () => {
  expect(measureGrowth(points([5]))).toBe(0)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([])).toBe(0)
})
