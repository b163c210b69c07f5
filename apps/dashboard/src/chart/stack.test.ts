import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { UsageRow } from '../data/reports.ts'
import { niceTicks, OTHER, stack, totalsOf } from './stack.ts'

const rowOf = (bucket: string, model: string, tokens: number, cost: string | null = '0.1'): UsageRow => ({
  ...{ bucket, model, user_id: null, user_name: null, token_kind: null, tokens_used: String(tokens) },
  ...{ input_tokens: String(tokens), output_tokens: '0', cost_usd: cost, charge_usd: cost },
  ...{ message_count: '1', event_count: '1', unpriced_events: cost === null ? '1' : '0' },
})
const DAYS = ['2026-11-01', '2026-11-02', '2026-11-03']

it('no LLM token is lost between rows and bars, however many groups there are', () => {
  const rows = fc.array(
    fc.tuple(fc.constantFrom(...DAYS), fc.integer({ min: 0, max: 15 }), fc.integer({ min: 1, max: 9 })),
  )
  fc.assert(
    fc.property(rows, (all) => {
      const chart = stack(
        all.map(([day, model, tokens]) => rowOf(day, `m${model}`, tokens)),
        'model',
        'tokens',
        DAYS,
      )
      const sum = chart.bars.reduce((total, { value }) => total + value, 0)
      expect(sum).toBe(all.reduce((total, [, , tokens]) => total + tokens, 0))
      expect(Math.max(...chart.bars.map(({ value }) => value))).toBeLessThanOrEqual(chart.ceiling)
    }),
  )
})

it('a day without usage has a bar without height', () => {
  const chart = stack([rowOf('2026-11-02', 'a', 5)], 'model', 'tokens', DAYS)
  expect(chart.bars.map(({ value }) => value)).toEqual([0, 5, 0])
})

it('what is too small for a colour of its own is shown together', () => {
  const rows = Array.from({ length: 12 }, (_, n) => rowOf('2026-11-01', `m${n}`, 100 - n))
  expect(stack(rows, 'model', 'tokens', DAYS).groups.at(-1)?.key).toBe(OTHER)
})

it('usage without a price has no height as a cost, and is counted', () => {
  const rows = [rowOf('2026-11-01', 'a', 5, '1.5'), rowOf('2026-11-01', 'b', 7, null)]
  expect(stack(rows, 'model', 'cost', DAYS).bars[0]).toMatchObject({ value: 1.5, calls: 2, unpriced: 1 })
  expect(totalsOf(rows)).toEqual({ tokens: 12n, messages: 2n, unpriced: 1n, cost: '1.5' })
})

it('a cost is as exact in a bar as in its rows', () => {
  const rows = ['0.1', '0.2', '0.000000000001'].map((cost, n) => rowOf('2026-11-01', `m${n}`, 1, cost))
  expect(stack(rows, 'model', 'cost', DAYS).bars[0]?.amount).toBe(300_000_000_001n)
})

it('a count has whole ticks alone', () => {
  expect([1, 3, 9].map((max) => niceTicks(max, true))).toEqual([
    [0, 1],
    [0, 1, 2, 3],
    [0, 5, 10],
  ])
})

it.each([
  [0, [0, 1]],
  [9, [0, 2.5, 5, 7.5, 10]],
  [1_000_000, [0, 250_000, 500_000, 750_000, 1_000_000]],
])('ticks up to %d are %j', (max, ticks) => {
  expect(niceTicks(max)).toEqual(ticks)
})
