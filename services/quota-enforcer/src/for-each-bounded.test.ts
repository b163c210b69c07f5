import { expect, test } from 'vitest'
import { forEachBounded } from './for-each-bounded.ts'

const tick = () => new Promise((resolve) => setImmediate(resolve))
const items = Array.from({ length: 20 }, (_, index) => index)

test('every item is worked on once, and never more at a time than allowed', async () => {
  const done: number[] = []
  let running = 0
  let most = 0
  const work = async (item: number) => {
    most = Math.max(most, ++running)
    await tick()
    running--
    done.push(item)
  }
  await forEachBounded(items, 3, work, new AbortController().signal)
  expect(done.toSorted((a, b) => a - b)).toEqual(items)
  expect(most).toBe(3)
})

test('after a rejection or an abort no further item is begun', async () => {
  let begun = 0
  const failing = async () => {
    begun++
    await tick()
    throw new Error('away')
  }
  await expect(forEachBounded(items, 3, failing, new AbortController().signal)).rejects.toThrow('away')
  expect(begun).toBe(3)

  const stopping = new AbortController()
  begun = 0
  const aborting = async () => {
    begun++
    stopping.abort()
  }
  await forEachBounded(items, 3, aborting, stopping.signal)
  expect(begun).toBe(1)
})
