import { expect, it } from 'vitest'
import { readFilters } from './filters.ts'
import { spanOf } from './span.ts'

const period = {
  period_start: '2026-11-01T00:00:00-05:00',
  period_end: '2026-12-01T00:00:00-05:00',
  time_zone: 'America/New_York',
}
const now = Date.parse('2026-11-26T02:00:00Z') // still the 25th in New York

it.each([
  ['', { start: '2026-11-01', end: '2026-12-01' }],
  ['?preset=previous-period', { start: '2026-10-01', end: '2026-11-01' }],
  ['?preset=last-7-days', { start: '2026-11-19', end: '2026-11-26' }],
  ['?preset=last-30-days', { start: '2026-10-27', end: '2026-11-26' }],
  ['?preset=custom&start=2026-11-03&end=2026-11-03', { start: '2026-11-03', end: '2026-11-04' }],
])('%s is the span %j of the organization', (search, expected) => {
  expect(spanOf(readFilters(search), period, now)).toEqual(expected)
})

it('a period from the 31st goes back to the last day of a shorter month', () => {
  const late = { ...period, period_start: '2026-12-31T00:00:00Z', time_zone: 'UTC' }
  expect(spanOf(readFilters('?preset=previous-period'), late, now)).toEqual({ start: '2026-11-30', end: '2026-12-31' })
})
