import type { Filters } from './filters.ts'

/** Days of an organization: `start` inclusive, `end` exclusive, as the reports take them. */
export interface Span {
  readonly start: string
  readonly end: string
}

const DAY_MS = 86_400_000

/** The day `days` after another. */
export const addDays = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)

/** The day that an instant falls on in a time zone. */
export const dayIn = (time: string | number, timeZone: string): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(new Date(time))

/** The period of an organization, from its quota. */
export interface Period {
  readonly period_start: string
  readonly period_end: string
  readonly time_zone: string
}

/** The span that the filters mean today. */
export function spanOf(filters: Filters, period: Period, now: number): Span {
  const { time_zone } = period
  const start = dayIn(period.period_start, time_zone)
  const tomorrow = addDays(dayIn(now, time_zone), 1)
  switch (filters.preset) {
    case 'period':
      return { start, end: dayIn(period.period_end, time_zone) }
    case 'previous-period':
      return { start: addMonths(start, -1), end: start }
    case 'last-7-days':
      return { start: addDays(tomorrow, -7), end: tomorrow }
    case 'last-30-days':
      return { start: addDays(tomorrow, -30), end: tomorrow }
    case 'last-12-months':
      return { start: addDays(tomorrow, -365), end: tomorrow }
    case 'custom':
      return { start: filters.start ?? start, end: addDays(filters.end ?? start, 1) }
  }
}

// The 31st of a short month is its last day, as with the periods themselves.
function addMonths(day: string, months: number): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  const last = new Date(Date.UTC(year, month - 1 + months + 1, 0)).getUTCDate()
  return new Date(Date.UTC(year, month - 1 + months, Math.min(date, last))).toISOString().slice(0, 10)
}
