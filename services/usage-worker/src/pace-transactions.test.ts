import { expect, test } from 'vitest'
import { paceTransactions } from './pace-transactions.ts'

test('as large as may be until it is known what an event takes, then as many as 80 ms are enough for', () => {
  const pace = paceTransactions(2_000)
  expect(pace.fullAt(0)).toBe(2_000)
  pace.note(1_000, 200)
  expect([pace.fullAt(0), pace.fullAt(1_200)]).toEqual([400, 400])
  // A quicker database, or a slower one, is learned within a few transactions.
  for (let time = 0; time < 20; time++) pace.note(400, 40)
  expect(pace.fullAt(0)).toBeGreaterThan(780)
  for (let time = 0; time < 30; time++) pace.note(400, 4_000)
  expect(pace.fullAt(0)).toBe(200)
})

test('a backlog makes them larger, up to the most', () => {
  const pace = paceTransactions(2_000)
  pace.note(1_000, 200)
  expect([1_203, 3_000, 6_000, 100_000].map(pace.fullAt)).toEqual([401, 1_000, 2_000, 2_000])
  // One that is small by setting stays so.
  const small = paceTransactions(10)
  small.note(1_000, 1)
  expect([small.fullAt(0), small.fullAt(1_000)]).toEqual([10, 10])
})

test('a transaction of few events says nothing of what an event takes', () => {
  const pace = paceTransactions(2_000)
  pace.note(1_000, 200)
  for (let time = 0; time < 20; time++) pace.note(5, 50)
  expect(pace.fullAt(0)).toBe(400)
})

test('transactions that jobs do not quite fill are learned from: one slow one does not make them small for good', () => {
  const pace = paceTransactions(2_000)
  pace.note(1_000, 30_000)
  expect(pace.fullAt(300)).toBe(200)
  for (let time = 0; time < 40; time++) pace.note(180, 18)
  expect(pace.fullAt(300)).toBeGreaterThan(600)
})
