import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startRepeating } from './repeat.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const onError = () => undefined
const now = () => Date.now()

test('two runs never overlap, and a wake-up during a run is answered by another run', async () => {
  let running = 0
  let runs = 0
  let most = 0
  const repetition = startRepeating({
    run: async () => {
      most = Math.max(most, ++running)
      runs++
      await new Promise((resolve) => setTimeout(resolve, 100))
      running--
    },
    intervalMs: 1_000,
    onError,
    now,
  })
  repetition.wake()
  repetition.wake()
  await vi.advanceTimersByTimeAsync(250)
  expect({ runs, most }).toEqual({ runs: 2, most: 1 })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(runs).toBe(3)
  await Promise.all([repetition.stop(), vi.advanceTimersByTimeAsync(200)])
})

test('a run that fails is reported, is no success, and is tried again', async () => {
  const faults: unknown[] = []
  let runs = 0
  const repetition = startRepeating({
    run: async () => {
      if (++runs < 3) throw new Error('away')
    },
    intervalMs: 50,
    onError: (error) => faults.push(error),
    now,
  })
  await vi.advanceTimersByTimeAsync(60)
  expect(repetition.lastSuccessAt()).toBeUndefined()
  await vi.advanceTimersByTimeAsync(60)
  expect(repetition.lastSuccessAt()).toBeDefined()
  expect(faults).toHaveLength(2)
  await repetition.stop()
})

test('stop waits for the run under way, tells it, and no other begins', async () => {
  let runs = 0
  let wasTold = false
  const repetition = startRepeating({
    run: async (signal) => {
      runs++
      await new Promise((resolve) => setTimeout(resolve, 100))
      wasTold = signal.aborted
    },
    intervalMs: 10,
    onError,
    now,
  })
  const stopped = repetition.stop()
  repetition.wake()
  await Promise.all([stopped, vi.advanceTimersByTimeAsync(500)])
  expect({ runs, wasTold }).toEqual({ runs: 1, wasTold: true })
})

test('a run that took long is followed by a rest in proportion to it', async () => {
  const beganAt: number[] = []
  const took = [10, 300, 10]
  const repetition = startRepeating({
    run: async () => {
      beganAt.push(Date.now())
      await new Promise((resolve) => setTimeout(resolve, took[beganAt.length - 1] ?? 10))
    },
    intervalMs: 250,
    restPerWork: 4,
    onError,
    now,
  })
  await vi.advanceTimersByTimeAsync(3_000)
  const [first = 0, second, third] = beganAt
  expect([second, third]).toEqual([first + 10 + 250, first + 10 + 250 + 300 + 4 * 300])
  await Promise.all([repetition.stop(), vi.advanceTimersByTimeAsync(1_000)])
})

test('the rest is 5 s at most, and a run that fails is tried again after the interval however long it took', async () => {
  const beganAt: number[] = []
  const repetition = startRepeating({
    run: async () => {
      beganAt.push(Date.now())
      await new Promise((resolve) => setTimeout(resolve, 30_000))
      if (beganAt.length === 2) throw new Error('away')
    },
    intervalMs: 250,
    restPerWork: 9,
    onError,
    now,
  })
  await vi.advanceTimersByTimeAsync(70_000)
  const [first = 0, second, third] = beganAt
  expect([second, third]).toEqual([first + 30_000 + 5_000, first + 30_000 + 5_000 + 30_000 + 250])
  await Promise.all([repetition.stop(), vi.advanceTimersByTimeAsync(30_000)])
})
