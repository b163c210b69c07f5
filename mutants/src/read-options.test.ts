import { expect, test } from 'vitest'
import { MutantError } from './mutation.ts'
import { readOptions, usage } from './read-options.ts'

const MUTATIONS = [
  { name: 'one', fault: 'this goes wrong' },
  { name: 'another', fault: 'that goes wrong' },
]

test('tries everything unless told otherwise, in the order of the list', () => {
  expect(readOptions([], MUTATIONS)).toEqual({ names: ['one', 'another'], help: false })
  expect(readOptions(['--', 'another', 'one'], MUTATIONS).names).toEqual(['one', 'another'])
  expect(readOptions(['another'], MUTATIONS).names).toEqual(['another'])
})

test.each([['--help'], ['-h']])('%s asks how it is used, and the answer names every fault', (flag) => {
  expect(readOptions([flag], MUTATIONS).help).toBe(true)
  expect(usage(MUTATIONS)).toMatch(/one +this goes wrong\n +another +that goes wrong/)
})

test.each([[['no-such']], [['--fast']], [['one', '--json']]])('refuses %j and says what there is', (args) => {
  expect(() => readOptions(args, MUTATIONS)).toThrow(MutantError)
  expect(() => readOptions(args, MUTATIONS)).toThrow('Usage: mutants')
})
