import fc from 'fast-check'
import { expect, it } from 'vitest'
import { chooseDays, chooseWindow, shiftTimes } from './shift-times.ts'

const HOUR = 3_600_000
const requestsAt = (offsets: readonly number[]) =>
  offsets.map((offsetMs, index) => ({ line: index + 1, offsetMs, inputTokens: 1, outputTokens: 1 }))

it('keeps the distances when today is old enough, and ends now', () => {
  const now = Date.parse('2026-11-23T10:00:00.000Z')
  const requests = requestsAt([0, 1_234, HOUR])
  const times = shiftTimes(requests, chooseWindow(requests, now))
  expect(times).toEqual(['2026-11-23T08:59:59.000Z', '2026-11-23T09:00:00.234Z', '2026-11-23T09:59:59.000Z'])
})

it('presses the hour together when today is too young', () => {
  const requests = requestsAt([0, HOUR / 2, HOUR])
  const times = shiftTimes(requests, chooseWindow(requests, Date.parse('2026-11-01T00:10:01.000Z')))
  expect(times).toEqual(['2026-11-01T00:00:00.000Z', '2026-11-01T00:05:00.000Z', '2026-11-01T00:10:00.000Z'])
})

it('keeps the order, one day, and the past, at any time of day', () => {
  const day = Date.parse('2026-11-01T00:00:00.000Z')
  const offsets = fc.array(fc.nat(HOUR), { minLength: 1 }).map((list) => list.sort((a, b) => a - b))
  fc.assert(
    fc.property(offsets, fc.nat(24 * HOUR - 1), (list, sinceMidnight) => {
      const now = day + sinceMidnight
      const requests = requestsAt(list)
      const times = shiftTimes(requests, chooseWindow(requests, now))
      expect(times).toEqual(times.toSorted())
      for (const time of times) {
        expect(time.slice(0, 10)).toBe('2026-11-01')
        expect(Date.parse(time)).toBeLessThanOrEqual(now)
      }
    }),
  )
})

it.each([
  ['2026-11-26T12:00:00Z', 20, '2026-11-06T11:59:59.000Z'],
  ['2026-11-03T12:00:00Z', 20, '2026-11-01T00:00:00.000Z'],
  ['2026-11-01T00:00:00Z', 20, '2026-11-01T00:00:00.000Z'],
])('at %s the last %d days begin %s: never before the month', (now, days, start) => {
  const window = chooseDays(Date.parse(now), days)
  expect(new Date(window.startMs).toISOString()).toBe(start)
  expect(window.endMs).toBeLessThanOrEqual(Date.parse(now))
  expect(window.startMs).toBeLessThanOrEqual(window.endMs)
})
