import { expect, test } from 'vitest'
import { AdversarialError } from './adversarial-error.ts'
import { readOptions, usage } from './read-options.ts'

const SUITES = [
  { name: 'one', tries: 'this' },
  { name: 'two', tries: 'that' },
]

test('runs everything unless told otherwise, in the order of the catalog', () => {
  expect(readOptions([], SUITES)).toEqual({ names: ['one', 'two'], help: false })
  expect(readOptions(['--', 'two', 'one'], SUITES).names).toEqual(['one', 'two'])
  expect(readOptions(['two'], SUITES).names).toEqual(['two'])
})

test.each([['--help'], ['-h']])('%s asks how it is used, and the answer names every suite', (flag) => {
  expect(readOptions([flag], SUITES).help).toBe(true)
  expect(usage(SUITES)).toMatch(/one +this\n +two +that/)
})

test.each([[['three']], [['--fast']], [['one', '--json']]])('refuses %j and says what there is', (args) => {
  expect(() => readOptions(args, SUITES)).toThrow(AdversarialError)
  expect(() => readOptions(args, SUITES)).toThrow('Usage: adversarial')
})
