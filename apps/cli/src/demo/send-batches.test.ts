import { expect, it } from 'vitest'
import type { EventBatch } from './build-batches.ts'
import type { BatchAnswer } from './post-batch.ts'
import { sendBatches } from './send-batches.ts'

const batches: EventBatch[] = Array.from({ length: 10 }, (_, index) => ({ index, events: [], body: '' }))
const answerTo = (batch: EventBatch): BatchAnswer => ({
  batch,
  accepted: 0,
  settled: null,
  rejected: [],
  attempts: 1,
  sentAtMs: 0,
  answeredAtMs: 0,
})

it('keeps several on their way, but sends a marked batch alone', async () => {
  const running = new Set<number>()
  const together: number[][] = []
  const answers = await sendBatches(batches, {
    inFlight: 3,
    aloneAt: new Set([4]),
    onAnswer: () => {},
    post: async (batch) => {
      running.add(batch.index)
      await new Promise((done) => setImmediate(done))
      together.push([...running])
      running.delete(batch.index)
      return answerTo(batch)
    },
  })
  expect(answers.map(({ batch }) => batch.index).sort((a, b) => a - b)).toEqual(batches.map(({ index }) => index))
  expect(Math.max(...together.map(({ length }) => length))).toBe(3)
  expect(together.filter((group) => group.includes(4))).toEqual([[4]])
})

it('starts nothing more after a failure, and throws it', async () => {
  const started: number[] = []
  const sending = sendBatches(batches, {
    inFlight: 2,
    aloneAt: new Set(),
    onAnswer: () => {},
    post: async (batch) => {
      started.push(batch.index)
      if (batch.index === 1) throw new Error('no')
      return answerTo(batch)
    },
  })
  await expect(sending).rejects.toThrow('no')
  expect(started.length).toBeLessThan(5)
})
