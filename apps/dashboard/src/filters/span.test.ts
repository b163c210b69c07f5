import { expect, it } from 'vitest'
import { readFilters } from './filters.ts'
import { compareSpans, daysBetween, spanOf } from './span.ts'

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

it.each([
  // The period is in its 25th day: so many of the one before, not all of it, and not those right before.
  ['', '2026-11-01 2026-11-26', '2026-10-01 2026-10-26', true],
  ['?preset=last-7-days', '2026-11-19 2026-11-26', '2026-11-12 2026-11-19', true],
  ['?preset=previous-period', '2026-10-01 2026-11-01', '2026-08-31 2026-10-01', false],
  ['?preset=custom&start=2026-11-20&end=2026-11-30', '2026-11-20 2026-11-26', '2026-11-14 2026-11-20', true],
  ['?preset=custom&start=2027-11-03&end=2027-11-04', '2027-11-03 2027-11-05', '2027-11-01 2027-11-03', false],
])('%s compares %s with %s', (search, shown, before, isRunning) => {
  const told = compareSpans(readFilters(search), period, now)
  const text = ({ start, end }: { start: string; end: string }) => `${start} ${end}`
  expect([text(told.now), text(told.before), told.isRunning]).toEqual([shown, before, isRunning])
  expect(daysBetween(told.now)).toBe(daysBetween(told.before))
})

it.each([
  ['?preset=custom&start=2026-11-25&end=2026-11-30', false],
  ['?preset=custom&start=2026-11-26&end=2026-11-30', true],
  ['?preset=previous-period', false],
])('whether %s is still to come: %s', (search, isAhead) => {
  expect(compareSpans(readFilters(search), period, now).isAhead).toBe(isAhead)
})

it('a period that has come further than the one before is long is compared with the days right before', () => {
  const march = { period_start: '2026-03-01T00:00:00Z', period_end: '2026-04-01T00:00:00Z', time_zone: 'UTC' }
  const told = compareSpans(readFilters(''), march, Date.parse('2026-03-30T12:00:00Z'))
  expect(told.before).toEqual({ start: '2026-01-30', end: '2026-03-01' })
})

it('a period from the 31st goes back to the last day of a shorter month', () => {
  const late = { period_start: '2026-12-31T00:00:00Z', period_end: '2027-01-31T00:00:00Z', time_zone: 'UTC' }
  expect(spanOf(readFilters('?preset=previous-period'), late, now)).toEqual({ start: '2026-11-30', end: '2026-12-31' })
  const short = { period_start: '2026-02-28T00:00:00Z', period_end: '2026-03-31T00:00:00Z', time_zone: 'UTC' }
  expect(spanOf(readFilters('?preset=previous-period'), short, now)).toEqual({ start: '2026-01-31', end: '2026-02-28' })
})
