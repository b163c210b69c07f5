import { addDays } from '../filters/days.ts'
import { daysBetween, type Span } from '../filters/span.ts'

/** How finely a span is cut: by the hour up to two days, by the month from about half a year on. */
export const bucketSize = (span: Span): 'hour' | 'day' | 'month' => {
  const days = daysBetween(span)
  if (days <= 2) return 'hour'
  return days > 184 ? 'month' : 'day'
}

/** Every bucket of a span, in time, as the reports name them. */
export function listBuckets(span: Span, size: 'hour' | 'day' | 'month', timeZone: string): string[] {
  if (size === 'hour') return listHours(span, timeZone)
  const days = Array.from({ length: daysBetween(span) }, (_, index) => addDays(span.start, index))
  return size === 'day' ? days : [...new Set(days.map((day) => day.slice(0, 7)))]
}

// A local day has 23 to 25 hours, and begins anywhere within a day of UTC midnight: those hours are taken that fall on it.
function listHours({ start, end }: Span, timeZone: string): string[] {
  const day = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' })
  const from = Date.parse(`${start}T00:00:00Z`) - 14 * 3_600_000
  const hours = Array.from({ length: daysBetween({ start, end }) * 24 + 27 }, (_, n) => from + n * 3_600_000)
  return hours
    .filter((hour) => day.format(hour) >= start && day.format(hour) < end)
    .map((hour) => `${new Date(hour).toISOString().slice(0, 19)}Z`)
}
