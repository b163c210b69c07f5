import { describe, expect, test } from 'vitest'
import type { Contender } from './contender.ts'
import { pickFastest, runInTurn, shorter } from './run-in-turn.ts'

const ignore = () => undefined

/** Claims a rate without doing anything. */
function pretender(name: string, rate: number, calls: string[] = []): Contender {
  return {
    name,
    firstCount: 10,
    run: async (count) => {
      calls.push(`${name} ${count}`)
      return { count, seconds: count / rate, answerTimesMs: [], cpuUs: {} }
    },
    close: async () => {
      calls.push(`${name} closed`)
    },
  }
}

describe('runInTurn', () => {
  test('takes turns, after a warm-up, with as much work as fits into the time', async () => {
    const calls: string[] = []
    const contenders = [pretender('slow', 100, calls), pretender('fast', 400, calls)]
    const runs = await runInTurn(contenders, { seconds: 2, rounds: 2, log: ignore })
    const measured = calls.slice(4)
    expect(measured).toEqual(['slow 200', 'fast 800', 'slow 200', 'fast 800'])
    expect(runs.map((own) => own.map(({ count }) => count))).toEqual([
      [200, 200],
      [800, 800],
    ])
  })
})

test('one that was picked as the fastest has had its warm-up', async () => {
  const calls: string[] = []
  const turns = { seconds: 2, rounds: 1, log: ignore }
  const best = await pickFastest([100, 400], async (rate) => pretender(String(rate), rate, calls), turns)
  calls.length = 0
  await runInTurn([best], turns)
  expect(calls).toEqual(['400 800'])
})

test('a shorter turn has two thirds of the time and as many rounds', () => {
  expect(shorter({ seconds: 3, rounds: 5, log: ignore })).toMatchObject({ seconds: 2, rounds: 5 })
})

test('pickFastest keeps the fastest and closes the others', async () => {
  const calls: string[] = []
  const open = async (rate: number) => pretender(String(rate), rate, calls)
  const best = await pickFastest([100, 400, 200], open, { seconds: 1, rounds: 1, log: ignore })
  expect(best.name).toBe('400')
  expect(calls.filter((call) => call.endsWith('closed'))).toEqual(['100 closed', '200 closed'])
})
