import { expect, test } from 'vitest'
import { createStoreCheck } from './require-store.ts'

test('asks once in half a second, whatever the answer', async () => {
  let nowMs = 0
  let asked = 0
  let isAway = true
  const check = createStoreCheck({
    ping: async () => {
      asked++
      if (isAway) throw new Error('away')
    },
    monotonicNow: () => nowMs,
  })
  const refused = { code: 'unavailable', retryAfterSeconds: 1, extensions: { reason: 'outcome_unavailable' } }
  for (let request = 0; request < 5; request++) await expect(check()).rejects.toMatchObject(refused)
  expect(asked).toBe(1)
  isAway = false
  nowMs = 500
  for (let request = 0; request < 5; request++) await check()
  expect(asked).toBe(2)
})
