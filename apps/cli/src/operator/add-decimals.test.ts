import { describe, expect, it } from 'vitest'
import { addDecimals } from './add-decimals.ts'

describe('addDecimals', () => {
  it.each([
    ['0.1', '0.2', '0.3'],
    ['1', '-1.000000000001', '-0.000000000001'],
    ['-2.5', '2.5', '0'],
    ['9007199254740993', '0.000000000001', '9007199254740993.000000000001'],
  ])('adds %s and %s exactly', (left, right, sum) => {
    expect(addDecimals(left, right)).toBe(sum)
  })
})
