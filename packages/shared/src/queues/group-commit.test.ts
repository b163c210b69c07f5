import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { BackpressureError, createGroupCommit } from './group-commit.ts'

function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { promise, open: () => resolve() }
}

describe('group commit', () => {
  test('merges concurrent items into one flush', async () => {
    const batches: number[][] = []
    const flush = async (items: number[]) => {
      batches.push(items)
      return items.map((item) => item * 2)
    }
    const commit = createGroupCommit({ maxItems: 100, maxDelayMs: 2, maxInFlight: 1, flush })
    expect(await Promise.all([1, 2, 3].map(commit.submit))).toEqual([2, 4, 6])
    expect(batches).toEqual([[1, 2, 3]])
  })

  test('gathers while as many flushes as allowed are under way, then goes at once', async () => {
    const first = gate()
    const batches: number[][] = []
    const flush = async (items: number[]) => {
      batches.push(items)
      if (batches.length === 1) await first.promise
      return items
    }
    const commit = createGroupCommit({ maxItems: 10, maxDelayMs: 0, maxInFlight: 1, flush })
    const one = commit.submit(1)
    await expect.poll(() => batches.length).toBe(1)
    const rest = [2, 3, 4].map(commit.submit)
    await delay(5)
    expect(batches).toHaveLength(1)
    first.open()
    await Promise.all([one, ...rest])
    expect(batches).toEqual([[1], [2, 3, 4]])
  })

  test('a batch is full at what holds at present, and never above the most', async () => {
    const first = gate()
    const batches: number[] = []
    const waiting: number[] = []
    const flush = async (items: number[]) => {
      batches.push(items.length)
      if (batches.length === 1) await first.promise
      return items
    }
    const fullAt = (weight: number) => {
      waiting.push(weight)
      return weight > 6 ? 100 : 3
    }
    const commit = createGroupCommit({ maxItems: 5, maxDelayMs: 0, maxInFlight: 1, fullAt, flush })
    const all = [commit.submit(0)]
    await expect.poll(() => batches.length).toBe(1)
    all.push(...Array.from({ length: 12 }, (_, item) => commit.submit(item)))
    first.open()
    await Promise.all(all)
    expect(batches).toEqual([1, 5, 5, 2])
    expect(waiting).toContain(12)
    batches.length = 1
    await Promise.all(Array.from({ length: 5 }, (_, item) => commit.submit(item)))
    expect(Math.max(...batches)).toBeLessThanOrEqual(3)
  })

  test('the first after a quiet time goes at once, the next ones wait for company', async () => {
    const batches: number[][] = []
    const flush = async (items: number[]) => {
      batches.push(items)
      return items
    }
    const commit = createGroupCommit({ maxItems: 10, maxDelayMs: 3_600_000, maxInFlight: 1, flush })
    expect(await commit.submit(1)).toBe(1)
    const rest = [2, 3].map(commit.submit)
    await delay(5)
    expect(batches).toEqual([[1]])
    await commit.drain()
    expect(await Promise.all(rest)).toEqual([2, 3])
    expect(batches).toEqual([[1], [2, 3]])
  })

  test('after a batch of a few the next ones go at once, after one of many they wait for company', async () => {
    const batches: number[][] = []
    const flush = async (items: number[]) => {
      batches.push(items)
      return items
    }
    const delayMs = (lastItems: number) => (lastItems < 3 ? 0 : 3_600_000)
    const commit = createGroupCommit({ maxItems: 10, maxDelayMs: 3_600_000, delayMs, maxInFlight: 1, flush })
    await commit.submit(1)
    await Promise.all([2, 3, 4].map(commit.submit))
    const last = commit.submit(5)
    await delay(5)
    expect(batches).toEqual([[1], [2, 3, 4]])
    await commit.drain()
    expect([await last, batches]).toEqual([5, [[1], [2, 3, 4], [5]]])
  })

  test('lanes: what is under way has no lane twice, and a lane that fills a batch has it for itself', async () => {
    const hold = gate()
    const batches: string[] = []
    const flush = async (items: string[]) => {
      batches.push(items.join(' '))
      await hold.promise
      return items
    }
    const laneOf = (item: string) => Number(item[0])
    const commit = createGroupCommit({ maxItems: 3, maxDelayMs: 3_600_000, maxInFlight: 3, flush, laneOf })
    const early = ['1a', '2a', '1b'].map(commit.submit)
    const full = ['3a', '3b', '3c'].map(commit.submit)
    const late = ['1c', '1d', '2b'].map(commit.submit)
    await delay(5)
    expect(batches).toEqual(['1a 1b', '2a', '3a 3b 3c'])
    hold.open()
    await commit.drain()
    await Promise.all([...early, ...full, ...late])
    expect(batches.slice(3)).toEqual(['1c 1d', '2b'])
  })

  test('lanes: batches share them, so that one can run beside the other', async () => {
    const underWay: string[] = []
    const hold = gate()
    const flush = async (items: string[]) => {
      underWay.push(items.join(' '))
      await hold.promise
      return items
    }
    const laneOf = (item: string) => Number(item[0])
    const commit = createGroupCommit({ maxItems: 100, maxDelayMs: 1, maxInFlight: 2, flush, laneOf })
    const all = ['1a', '1b', '2a', '3a', '4a'].map(commit.submit)
    await vi.waitFor(() => expect(underWay).toEqual(['1a 1b 2a', '3a 4a']))
    hold.open()
    await Promise.all(all)
  })

  test('a lane that is never empty does not starve the others', async () => {
    const seen: string[] = []
    const flush = async (items: string[]) => {
      seen.push(...items)
      if (seen.length < 60) void commit.submit(`1 ${seen.length}`)
      await delay(0)
      return items
    }
    const commit: ReturnType<typeof createGroupCommit<string, string>> = createGroupCommit({
      maxItems: 2,
      maxDelayMs: 0,
      maxInFlight: 1,
      flush,
      laneOf: (item) => Number(item[0]),
    })
    const busy = Array.from({ length: 20 }, (_, index) => commit.submit(`1 ${index}`))
    expect(await commit.submit('2 rare')).toBe('2 rare')
    expect(seen.indexOf('2 rare')).toBeLessThan(30)
    await Promise.all(busy)
    await commit.drain()
  })

  test('a failed flush rejects its own items only', async () => {
    const flush = async (items: number[]) => {
      if (items.includes(13)) throw new Error('unlucky')
      return items
    }
    const commit = createGroupCommit({ maxItems: 1, maxDelayMs: 1, maxInFlight: 4, flush })
    const settled = await Promise.allSettled([12, 13, 14].map(commit.submit))
    expect(settled.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  test('too few results are a fault and not somebody else’s result', async () => {
    const commit = createGroupCommit({ maxItems: 2, maxDelayMs: 1, maxInFlight: 1, flush: async () => ['only one'] })
    const settled = await Promise.allSettled([commit.submit(1), commit.submit(2)])
    expect(settled.map((result) => result.status)).toEqual(['rejected', 'rejected'])
  })

  test('refuses more than may wait', async () => {
    const hold = gate()
    const flush = (items: number[]) => hold.promise.then(() => items)
    const commit = createGroupCommit({ maxItems: 1, maxDelayMs: 0, maxInFlight: 1, maxWaiting: 2, flush })
    const taken = [1, 2, 3].map(commit.submit)
    await expect(commit.submit(4)).rejects.toBeInstanceOf(BackpressureError)
    hold.open()
    expect(await Promise.all(taken)).toEqual([1, 2, 3])
  })

  test('drain does not wait for the delay and leaves nothing', async () => {
    const flush = async (items: number[]) => items
    const commit = createGroupCommit({ maxItems: 100, maxDelayMs: 3_600_000, maxInFlight: 1, flush })
    const items = [1, 2, 3].map(commit.submit)
    await commit.drain()
    expect(commit.size).toBe(0)
    expect(await Promise.all(items)).toEqual([1, 2, 3])
  })

  test('each item is flushed exactly once, within the limits, and gets its own result', async () => {
    const item = fc.record({ weight: fc.integer({ min: 1, max: 12 }), pauseMs: fc.constantFrom(0, 0, 0, 1) })
    const limits = fc.record({
      maxItems: fc.integer({ min: 1, max: 10 }),
      maxDelayMs: fc.integer({ min: 0, max: 2 }),
      maxInFlight: fc.integer({ min: 1, max: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 40 }), limits, fc.integer({ min: 1, max: 7 }), checkRun),
      { numRuns: 150 },
    )
  })
})

interface Item {
  readonly weight: number
  readonly pauseMs: number
}

async function checkRun(
  items: Item[],
  limits: { maxItems: number; maxDelayMs: number; maxInFlight: number },
  failEvery: number,
): Promise<void> {
  const flushed: number[] = []
  let underWay = 0
  let calls = 0
  const flush = async (batch: (Item & { id: number })[]) => {
    expect(++underWay).toBeLessThanOrEqual(limits.maxInFlight)
    if (batch.length > 1)
      expect(batch.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(limits.maxItems)
    flushed.push(...batch.map(({ id }) => id))
    await delay(0)
    underWay--
    if (++calls % (failEvery + 1) === 0) throw new Error(batch.map(({ id }) => id).join())
    return batch.map(({ id }) => `result of ${id}`)
  }
  const commit = createGroupCommit({ ...limits, weigh: ({ weight }) => weight, flush })
  const answers: Promise<PromiseSettledResult<string>>[] = []
  for (const [id, item] of items.entries()) {
    answers.push(settle(commit.submit({ ...item, id })))
    if (item.pauseMs > 0) await delay(item.pauseMs)
  }
  await commit.drain()
  for (const [id, answer] of (await Promise.all(answers)).entries()) {
    if (answer.status === 'fulfilled') expect(answer.value).toBe(`result of ${id}`)
    else expect(String(answer.reason.message).split(',')).toContain(String(id))
  }
  expect(flushed).toEqual(items.map((_, id) => id))
  expect(commit.size).toBe(0)
}

async function settle(answer: Promise<string>): Promise<PromiseSettledResult<string>> {
  const [settled] = await Promise.allSettled([answer])
  return settled
}
