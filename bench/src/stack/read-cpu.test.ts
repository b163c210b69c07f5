import { expect, test } from 'vitest'
import { parseStat } from './read-cpu.ts'

test('a program whose name has blanks and parentheses is read', () => {
  const line = '4711 (post (gres) ) S 42 1 1 0 -1 4194560 1 2 3 4 100 20 7 5 20 0 1 0 5 6 7'
  expect(parseStat(line)).toEqual({ parent: 42, ownUs: 1_200_000, endedUs: 120_000 })
})
