import { describe, expect, test } from 'vitest'
import { add, NO_TOTALS, requireEqual, sumOf } from './totals.ts'

const sent = { events: 2, inputTokens: 30, outputTokens: 3 }

test('totals are sums', () => {
  const counts = [
    { input_tokens: 10, output_tokens: 1 },
    { input_tokens: 20, output_tokens: 2 },
  ]
  expect(sumOf(counts)).toEqual(sent)
  expect(sumOf([])).toEqual(NO_TOTALS)
  expect(add(sent, sent)).toEqual(sumOf([...counts, ...counts]))
})

describe('requireEqual', () => {
  test('lets exact totals pass', () => {
    expect(() => requireEqual(sent, new Map([['ledger', { ...sent }]]))).not.toThrow()
  })

  test.each([
    ['a lost event', { ...sent, events: 1 }],
    ['an event counted twice', { ...sent, events: 3 }],
    ['a lost input token', { ...sent, inputTokens: 29 }],
    ['an output token too many', { ...sent, outputTokens: 4 }],
  ])('refuses figures after %s, in any table', (_, held) => {
    const tables = new Map([
      ['ledger', sent],
      ['usage_metrics', held],
    ])
    expect(() => requireEqual(sent, tables)).toThrow(/not what was sent[\s\S]*usage_metrics/)
  })
})
