import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { UsageRow } from '../data/reports.ts'
import { SORT_COLUMNS, SORTS } from '../filters/filters.ts'
import { nextSort, sortUsage } from './sort-usage.ts'

const rowOf = (model: string, tokens: number, cost: string | null): UsageRow => ({
  ...{ bucket: '2026-11-01', model, user_id: null, user_name: null, token_kind: null, tokens_used: String(tokens) },
  ...{ input_tokens: String(tokens), output_tokens: '0', cost_usd: cost, charge_usd: cost },
  ...{ message_count: '1', event_count: '1', unpriced_events: cost === null ? '1' : '0' },
})

it('costs are compared to the last digit, and what has no price is less than any', () => {
  const rows = [rowOf('b', 1, '0.000000000002'), rowOf('a', 2, null), rowOf('c', 3, '0'), rowOf('d', 4, '10')]
  const names = (sort: (typeof SORTS)[number]) => sortUsage(rows, sort, 'model').map(({ model }) => model)
  expect(names('cost_usd')).toEqual(['a', 'c', 'b', 'd'])
  expect(names('-cost_usd')).toEqual(['d', 'b', 'c', 'a'])
  expect(names('group')).toEqual(['a', 'b', 'c', 'd'])
  expect(names('-tokens_used')).toEqual(['d', 'c', 'a', 'b'])
})

it('a second click on a heading turns the order round, a third brings it back', () => {
  fc.assert(
    fc.property(fc.constantFrom(...SORTS), fc.constantFrom(...SORT_COLUMNS), (sort, column) => {
      const first = nextSort(sort, column)
      const second = nextSort(first, column)
      expect([first, second].toSorted()).toEqual([`-${column}`, column].toSorted())
      expect(nextSort(second, column)).toBe(first)
    }),
  )
})
