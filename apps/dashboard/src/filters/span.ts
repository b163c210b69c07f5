import { addDays } from './days.ts'
import type { Filters } from './filters.ts'

/** Days of an organization: `start` inclusive, `end` exclusive, as the reports take them. */
export interface Span {
  readonly start: string
  readonly end: string
}

const DAY_MS = 86_400_000

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
      return { start: previousStart(period), end: start }
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

/** The span that the tiles tell, as far as it has come, and the one that it is compared with: as many days of each. */
export interface Comparison {
  readonly now: Span
  readonly before: Span
  /** The last day of `now` is not over. */
  readonly isRunning: boolean
  /** No day of `now` has begun: there is nothing to compare. */
  readonly isAhead: boolean
}

/**
 * What the tiles compare. A running period is compared with the first days of the one before, where that has as many;
 * everything else with the days right before.
 */
export function compareSpans(filters: Filters, period: Period, now: number): Comparison {
  const span = spanOf(filters, period, now)
  const tomorrow = addDays(dayIn(now, period.time_zone), 1)
  const end = span.start < tomorrow && tomorrow < span.end ? tomorrow : span.end
  const days = daysBetween({ start: span.start, end })
  const sameDays = previousStart(period)
  const isPeriod = filters.preset === 'period' && addDays(sameDays, days) <= span.start
  const start = isPeriod ? sameDays : addDays(span.start, -days)
  return {
    now: { start: span.start, end },
    before: { start, end: addDays(start, days) },
    isRunning: end === tomorrow,
    isAhead: span.start >= tomorrow,
  }
}

/** How many days a span has. */
export const daysBetween = ({ start, end }: Span): number => (Date.parse(end) - Date.parse(start)) / DAY_MS

// Periods begin on the same day of each month, or on a shorter month's last: one of two neighbours tells that day.
function previousStart({ period_start, period_end, time_zone }: Period): string {
  const [start, end] = [dayIn(period_start, time_zone), dayIn(period_end, time_zone)]
  const [year = 0, month = 1, date = 1] = start.split('-').map(Number)
  const anchor = Math.max(date, Number(end.slice(8)))
  const last = new Date(Date.UTC(year, month - 1, 0)).getUTCDate()
  return new Date(Date.UTC(year, month - 2, Math.min(anchor, last))).toISOString().slice(0, 10)
}
