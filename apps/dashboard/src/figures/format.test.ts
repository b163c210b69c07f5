import { expect, it } from 'vitest'
import { COUNT_PATTERN, readCount } from './format.ts'

const isOffered = (text: string): boolean => new RegExp(`^(?:${COUNT_PATTERN})$`, 'v').test(text)

it.each([
  ['0', 0],
  ['1500000', 1_500_000],
  ['1,500,000', 1_500_000],
  ['1.500.000', 1_500_000],
  ['1 500 000', 1_500_000],
  ['123_456', 123_456],
  ['4,503,599,627,370,496', 2 ** 52],
])('%s is a count', (text, count) => {
  expect(readCount(text)).toBe(count)
  expect(isOffered(text)).toBe(true)
})

it.each(['99.5', '1.5', '1,50', '1.000,00', '1,000.000', '0.1000', '1,,000', '-1', '1e6', '0x10', '99999999999999999'])(
  '%s is none, and is never taken for another one',
  (text) => {
    expect(() => readCount(text)).toThrow(RangeError)
    expect(isOffered(text)).toBe(false)
  },
)

it('nothing typed is no count', () => {
  expect([readCount(''), readCount('  '), readCount(null)]).toEqual([null, null, null])
})
