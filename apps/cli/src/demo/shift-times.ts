import type { TraceRequest } from './read-trace.ts'

/** The stretch of the present onto which the trace's times are laid; milliseconds since 1970. */
export interface TimeWindow {
  readonly startMs: number
  readonly endMs: number
}

const DAY_MS = 24 * 3_600_000
/** Keeps the last event out of the future when the server's clock is a little behind ours. */
const MARGIN_MS = 1_000

const spanOf = (requests: readonly TraceRequest[]): number =>
  requests.reduce((span, { offsetMs }) => Math.max(span, offsetMs), 0)

/**
 * Lays the trace's hour so that it ends now and lies inside today (UTC), and so inside one period. When today is
 * younger than the hour is long, it is pressed together between midnight and now.
 */
export function chooseWindow(requests: readonly TraceRequest[], nowMs: number): TimeWindow {
  const midnightMs = Math.floor(nowMs / DAY_MS) * DAY_MS
  const endMs = Math.max(midnightMs, nowMs - MARGIN_MS)
  return { startMs: Math.max(midnightMs, endMs - spanOf(requests)), endMs }
}

/** Lays the trace's hour over the last days of the month (UTC), and so inside one period, for a view of many days. */
export function chooseDays(nowMs: number, days: number): TimeWindow {
  const now = new Date(nowMs)
  const monthMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
  const endMs = Math.max(monthMs, nowMs - MARGIN_MS)
  return { startMs: Math.max(monthMs, endMs - days * DAY_MS), endMs }
}

/** Returns the time (RFC 3339, UTC) of each request inside the window: first to last, order kept. */
export function shiftTimes(requests: readonly TraceRequest[], { startMs, endMs }: TimeWindow): string[] {
  const span = Math.max(1, spanOf(requests))
  const width = endMs - startMs
  // Below 2^22 and 2^32 (an hour, and days), so the product is exact to a fraction of a millisecond.
  return requests.map(({ offsetMs }) => new Date(startMs + Math.floor((offsetMs * width) / span)).toISOString())
}
