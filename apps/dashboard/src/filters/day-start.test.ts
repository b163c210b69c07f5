import { expect, it } from 'vitest'
import { dayStart } from './day-start.ts'

it.each([
  ['2026-11-01', 'UTC', '2026-11-01T00:00:00Z'],
  ['2026-11-01', 'Europe/Berlin', '2026-10-31T23:00:00Z'],
  ['2026-07-01', 'America/New_York', '2026-07-01T04:00:00Z'],
  ['2026-11-01', 'Asia/Kathmandu', '2026-10-31T18:15:00Z'],
  ['2026-11-01', 'Pacific/Kiritimati', '2026-10-31T10:00:00Z'],
  // Midnight does not exist there on these days.
  ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00Z'],
  ['2026-03-29', 'Asia/Beirut', '2026-03-28T22:00:00Z'],
])('%s in %s begins at %s', (day, timeZone, start) => {
  expect(dayStart(day, timeZone)).toBe(start)
})
