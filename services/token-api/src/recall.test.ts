import { beforeEach, describe, expect, test } from 'vitest'
import { createRecall, type Recall } from './recall.ts'

let now: number
let asked: string[]
let answer: () => Promise<string>
let memory: Recall<string>

beforeEach(() => {
  now = 0
  asked = []
  answer = async () => `answer ${asked.length}`
  memory = createRecall({
    ask: (key) => {
      asked.push(key)
      return answer()
    },
    freshMs: 100,
    staleMs: 1_000,
    maxEntries: 2,
    now: () => now,
  })
})

test('asks once for what several want at the same time', async () => {
  const answers = await Promise.all([memory.recall('a'), memory.recall('a'), memory.recall('a')])
  expect([answers, asked]).toEqual([['answer 1', 'answer 1', 'answer 1'], ['a']])
})

test('an answer of the future is asked for anew: the clock was set back', async () => {
  now = 3_600_000
  await memory.recall('a')
  now = 0
  expect(memory.peek('a')).toBeUndefined()
  expect(await memory.recall('a')).toBe('answer 2')
})

test('a fresh answer stands without a question; a stale one too, and is asked for anew behind the scenes', async () => {
  await memory.recall('a')
  now = 99
  expect(await memory.recall('a')).toBe('answer 1')
  expect(asked).toHaveLength(1)
  now = 100
  expect(await memory.recall('a')).toBe('answer 1')
  expect(asked).toHaveLength(2)
  expect(await memory.recall('a')).toBe('answer 2')
})

test('while the question fails the answer stands for a time, then the fault is seen', async () => {
  await memory.recall('a')
  answer = () => Promise.reject(new Error('away'))
  for (const later of [100, 500, 999]) {
    now = later
    expect(await memory.recall('a')).toBe('answer 1')
  }
  now = 1_000
  await expect(memory.recall('a')).rejects.toThrow('away')
  answer = async () => 'back'
  expect(await memory.recall('a')).toBe('back')
})

test('a fault is never remembered', async () => {
  answer = () => Promise.reject(new Error('away'))
  await expect(memory.recall('a')).rejects.toThrow('away')
  expect(memory.has('a')).toBe(false)
})

test('holds a bounded number', async () => {
  for (const key of ['a', 'b', 'c']) await memory.recall(key)
  expect(['a', 'b', 'c'].map(memory.has)).toEqual([false, true, true])
})

describe('what is forgotten', () => {
  test('is asked for anew, and nothing else is', async () => {
    await memory.recall('a')
    await memory.recall('b')
    memory.forget((held) => held === 'answer 1')
    expect([await memory.recall('a'), await memory.recall('b')]).toEqual(['answer 3', 'answer 2'])
  })

  test('does not come back by a question that was under way', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    answer = () => promise
    const early = memory.recall('a')
    memory.forget(() => true)
    resolve('from before')
    expect(await early).toBe('from before')
    expect(memory.has('a')).toBe(false)
  })
})
