import { expect, it } from 'vitest'
import type { EventBatch } from './build-batches.ts'
import { findCrossing, tokensToAdd } from './find-crossings.ts'

const batchOf = (index: number, tokens: number): EventBatch => ({
  index,
  body: '',
  events: [
    { id: `mine-${index}`, organizationId: 'mine', inputTokens: tokens, outputTokens: 0 },
    { id: `other-${index}`, organizationId: 'other', inputTokens: 1_000, outputTokens: 1_000 },
  ],
})
const batches = [40, 40, 20, 20].map((tokens, index) => batchOf(index, tokens))
const wish = { organizationId: 'mine', used: 0n, limit: 100, atPercent: 100 }
const none = (): boolean => false

it('finds the batch that reaches the limit, to the token', () => {
  expect(findCrossing(batches, wish, none)).toBe(2)
  expect(findCrossing(batches, { ...wish, limit: 101 }, none)).toBe(3)
  expect(findCrossing(batches, { ...wish, atPercent: 120 }, none)).toBe(3)
  expect(findCrossing(batches, { ...wish, atPercent: 121 }, none)).toBeNull()
})

it('counts what was used before, and leaves out what is recorded already', () => {
  expect(findCrossing(batches, { ...wish, used: 60n }, none)).toBe(0)
  expect(findCrossing(batches, wish, (id) => id === 'mine-0')).toBeNull()
  expect(tokensToAdd(batches, 'mine', (id) => id === 'mine-0')).toBe(80n)
})

it('finds none where the limit is passed already, or there is none', () => {
  expect(findCrossing(batches, { ...wish, used: 100n }, none)).toBeNull()
  expect(findCrossing(batches, { ...wish, limit: null }, none)).toBeNull()
})
