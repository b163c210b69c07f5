import { expect, test } from 'vitest'
import { ChaosError } from './chaos-error.ts'
import { readOptions, USAGE } from './read-options.ts'

const read = (...args: string[]) => readOptions(args, () => 42)

test('a seed is drawn when none is given', () => {
  expect(read()).toEqual({ seed: 42, minutes: 5, privileged: false, json: false, plan: false, help: false })
  expect(read('--', '--seed', '7', '--minutes', '0.5', '--privileged', '--json')).toMatchObject({
    ...{ seed: 7, minutes: 0.5, privileged: true, json: true },
  })
})

test.each([
  ['--seed', '-1'],
  ['--seed', '1.5'],
  ['--seed', 'x'],
  ['--minutes', '0'],
  ['--minutes', 'soon'],
  ['--speed', '1'],
  ['now'],
])('%s %s is refused', (...args) => {
  expect(() => read(...args)).toThrow(ChaosError)
})

test('what is said of limits and schedules is what holds', () => {
  expect(() => read('--minutes', '0')).toThrow('above 0, at most 1440')
  expect(USAGE).toMatch(/same seed, minutes and --privileged\s+give the same schedule/)
})
