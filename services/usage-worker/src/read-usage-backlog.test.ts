import { expect, test } from 'vitest'
import { createBacklogReader } from './read-usage-backlog.ts'

const backlog = { waiting: 0, active: 0, failed: 0, items: 0, oldestMs: 0 }

test('readers within a second share one answer, unless the clock was set back meanwhile', async () => {
  let [now, reads] = [7_200_000, 0]
  const readQueue = async () => {
    reads++
    return backlog
  }
  const read = createBacklogReader(
    readQueue,
    async () => [],
    () => now,
  )
  await Promise.all([read(), read()])
  now += 999
  await read()
  expect(reads).toBe(1)
  now += 1
  await read()
  expect(reads).toBe(2)
  now = 0
  await read()
  expect(reads).toBe(3)
})
