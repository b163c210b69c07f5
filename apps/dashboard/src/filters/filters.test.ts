import fc from 'fast-check'
import { expect, it } from 'vitest'
import { firstDayTo } from './days.ts'
import { GROUPS, isId, METRICS, PRESETS, readFilters, SORTS, VIEWS, writeFilters } from './filters.ts'

const day = fc.integer({ min: 0, max: 20_000 }).map((n) => new Date(n * 86_400_000).toISOString().slice(0, 10))
const text = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
const query = fc.record(
  {
    org: text,
    q: text,
    preset: fc.constantFrom(...PRESETS),
    start: day,
    end: day,
    metric: fc.constantFrom(...METRICS),
    by: fc.constantFrom(...GROUPS),
    sort: fc.constantFrom(...SORTS),
    day,
    user: text,
    model: text,
    view: fc.constantFrom(...VIEWS),
    period: day,
  },
  { requiredKeys: [] },
)

it('what is written is read again, whatever was asked for', () => {
  fc.assert(
    fc.property(query, (asked) => {
      const filters = readFilters(`?${new URLSearchParams(asked)}`)
      expect(readFilters(writeFilters(filters))).toEqual(filters)
    }),
  )
})

it('the default view has an address without a query', () => {
  expect(writeFilters(readFilters(''))).toBe('')
})

it.each([
  '?preset=custom&start=2026-13-01&end=2026-11-02',
  '?preset=custom&start=2026-02-30&end=2026-03-02',
  '?preset=custom&start=0000-01-01&end=0001-01-01',
  '?preset=custom&start=2026-11-02&end=2026-11-01',
  '?preset=x',
])('%s falls back to the present period', (search) => {
  expect(readFilters(search)).toMatchObject({ preset: 'period', start: null, end: null })
})

it('a range ends on the last day that a report from its start on may show', () => {
  const bounded = readFilters('?preset=custom&start=2020-01-01&end=2026-11-26')
  expect(bounded).toMatchObject({ preset: 'custom', start: '2020-01-01', end: '2022-03-10' })
  expect(firstDayTo('2022-03-10')).toBe('2020-01-01')
})

it.each([
  ['00000000-0000-4000-8000-00000000000a', true],
  ['00000000-0000-4000-8000-00000000000A', true],
  ['nonsense', false],
  ['', false],
  [' 00000000-0000-4000-8000-00000000000a', false],
])('whether %j may name an organization or a user: %s', (text, expected) => {
  expect(isId(text)).toBe(expected)
})
