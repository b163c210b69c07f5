import { expect, it } from 'vitest'
import { bucketSize, listBuckets } from './buckets.ts'

it.each([
  ['UTC', '2026-11-24', 24],
  ['Europe/Berlin', '2026-03-29', 23],
  ['America/New_York', '2026-11-01', 25],
])('a day in %s from %s has %d hours', (zone, day, hours) => {
  const next = new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10)
  expect(listBuckets({ start: day, end: next }, 'hour', zone)).toHaveLength(hours)
})

it('a year is shown by the month, a month by the day, two days by the hour', () => {
  const year = { start: '2025-11-26', end: '2026-11-26' }
  expect(listBuckets(year, bucketSize(year), 'UTC')).toHaveLength(13)
  const month = { start: '2026-11-01', end: '2026-12-01' }
  expect(listBuckets(month, bucketSize(month), 'UTC')).toHaveLength(30)
  const days = { start: '2026-11-01', end: '2026-11-03' }
  expect(listBuckets(days, bucketSize(days), 'UTC')).toHaveLength(48)
})
