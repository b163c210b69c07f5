import { expect, test } from 'vitest'
import { readWaitSeconds } from './read-prefer.ts'

test.each<[string | string[] | undefined, number]>([
  [undefined, 0],
  ['', 0],
  ['respond-async', 0],
  ['wait', 5],
  ['wait=7', 7],
  ['WAIT = "7"', 7],
  ['respond-async, wait=3; foo=bar', 3],
  ['wait=1, wait=9', 1],
  [['respond-async', 'wait=4'], 4],
  ['wait=30', 30],
  ['wait=31', 30],
  ['wait=999999999', 30],
  ['wait=0', 0],
  ['wait=-1', 0],
  ['wait=1.5', 0],
  ['wait=soon', 0],
  ['waiting=5', 0],
])('%j is %i seconds', (prefer, seconds) => {
  expect(readWaitSeconds(prefer)).toBe(seconds)
})
