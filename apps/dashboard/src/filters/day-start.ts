const QUARTER_MS = 900_000
// A day begins within 14 hours of UTC's, wherever it is.
const REACH_MS = 15 * 3_600_000

/** The instant, in UTC, at which a day begins in a time zone: its first one, also where daylight saving skips midnight. */
export function dayStart(day: string, timeZone: string): string {
  const local = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' })
  const utc = Date.parse(`${day}T00:00:00Z`)
  let [before, reached] = [utc - REACH_MS, utc + REACH_MS]
  while (reached - before > QUARTER_MS) {
    const middle = before + Math.ceil((reached - before) / 2 / QUARTER_MS) * QUARTER_MS
    if (local.format(middle) >= day) reached = middle
    else before = middle
  }
  return `${new Date(reached).toISOString().slice(0, 19)}Z`
}
