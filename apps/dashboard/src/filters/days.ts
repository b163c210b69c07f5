// What lies outside is a slip, or a year that is still being typed.
const FIRST_DAY = '1970-01-01'
const LAST_DAY = '2999-12-31'
/** How many days a report may span (read_report_query.sql). */
export const MAX_DAYS = 800

const DAY = /^\d{4}-\d\d-\d\d$/
const DAY_MS = 86_400_000

/** A day as it was typed; null for what is none, such as February 30th. */
export function readDay(text: string | null): string | null {
  if (text === null || !DAY.test(text) || text < FIRST_DAY || text > LAST_DAY) return null
  const time = Date.parse(text)
  return !Number.isNaN(time) && new Date(time).toISOString().slice(0, 10) === text ? text : null
}

/** The day `days` after another. */
export const addDays = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)

/** The last day that a report from `first` on may show. */
export const lastDayFrom = (first: string): string => addDays(first, MAX_DAYS - 1)

/** The first day that a report up to `last` may show. */
export const firstDayTo = (last: string): string => addDays(last, 1 - MAX_DAYS)
