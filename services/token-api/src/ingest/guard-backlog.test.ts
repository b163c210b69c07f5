import { expect, test } from 'vitest'
import { createBacklogGuard } from './guard-backlog.ts'

const full = expect.objectContaining({
  code: 'unavailable',
  retryAfterSeconds: 5,
  extensions: { reason: 'backlog_full' },
})

test('counts what it lets in until the next reading, and never lets more in than the limit', async () => {
  let inRedis = 0
  const guard = createBacklogGuard(1_000, { readRedis: async () => inRedis, readInbox: async () => 0 })
  for (let request = 0; request < 10; request++) guard.enter(100)(true)
  expect(() => guard.enter(1)).toThrow(full)
  inRedis = 400
  await guard.refresh()
  expect(guard.waiting()).toBe(400)
  guard.enter(600)
  expect(() => guard.enter(1)).toThrow(full)
})

test('adds Redis and inbox; a place that does not answer keeps its last figure', async () => {
  let isAway = false
  const readRedis = async () => {
    if (isAway) throw new Error('away')
    return 700
  }
  let inInbox = 0
  const guard = createBacklogGuard(1_000, { readRedis, readInbox: async () => inInbox })
  await guard.refresh()
  isAway = true
  inInbox = 200
  await guard.refresh()
  expect(guard.waiting()).toBe(900)
  expect(() => guard.enter(101)).toThrow(full)
})

test('what is let in while it reads is not forgotten', async () => {
  const reading = Promise.withResolvers<number>()
  const guard = createBacklogGuard(1_000, { readRedis: () => reading.promise, readInbox: async () => 0 })
  const settle = guard.enter(300)
  guard.enter(50)(true)
  guard.enter(70)(false)
  const refreshed = guard.refresh()
  settle(true)
  reading.resolve(50)
  await refreshed
  expect(guard.waiting()).toBe(350)
})
