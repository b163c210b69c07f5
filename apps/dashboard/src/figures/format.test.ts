import { expect, it } from 'vitest'
import { COUNT_PATTERN, formatBucket, formatChange, formatMoneyTick, formatPercent, readCount } from './format.ts'

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

it.each([
  [0.025, 3, '$0.075'],
  [0.25, 2, '$0.50'],
  [0.000_02, 3, '$0.00006'],
  [2.5, 3, '$7.50'],
  [500, 2, '$1,000'],
])('labels that are $%d apart are told apart: %d of them are %s', (step, count, text) => {
  expect(formatMoneyTick(count * step, step)).toBe(text)
})

it('a share of a limit is in percent that were reached, and all of none', () => {
  expect([formatPercent('2789', 1_000), formatPercent('999999', 1_000_000), formatPercent('29', 100)]).toEqual([
    ...['278%', '99%', '29%'],
  ])
  expect(formatPercent('0', 0)).toBe('100%')
})

it('a change that is out of all proportion says no more than that', () => {
  expect([formatChange('3995000', '1000'), formatChange('1099', '100'), formatChange('50', '100')]).toEqual([
    ...['> +999%', '+999%', '-50%'],
  ])
  expect([formatChange('1', '0'), formatChange(null, '1')]).toEqual(['–', '–'])
})

it.each([
  ['2026-11-10T20:00:00Z', 'UTC', '8 PM'],
  ['2026-11-10T20:00:00Z', 'Asia/Kolkata', '1:30 AM'],
  ['2026-11-10', 'UTC', 'Nov 10'],
])('the bucket %s in %s is labelled %s', (bucket, zone, label) => {
  // Intl parts an hour and its half of the day by a narrow space.
  expect(formatBucket(bucket, zone).replace(/\s/g, ' ')).toBe(label)
})
