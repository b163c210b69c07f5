import { describe, expect, test } from 'vitest'
import { BenchError } from './bench-error.ts'
import { readOptions } from './read-options.ts'

const scenarios = ['one', 'two', 'three']

describe('readOptions', () => {
  test('runs everything for three rounds of three seconds unless told otherwise', () => {
    expect(readOptions([], scenarios)).toEqual({
      names: scenarios,
      json: false,
      readme: false,
      seconds: 3,
      rounds: 3,
      rows: 10_000_000,
      help: false,
    })
  })

  test('takes names in the order of the catalog, and what pnpm hands on', () => {
    const options = readOptions(
      ['--', 'three', 'one', '--json', '--seconds', '0.5', '--rounds=1', '--rows=500'],
      scenarios,
    )
    expect(options).toEqual({
      names: ['one', 'three'],
      json: true,
      readme: false,
      seconds: 0.5,
      rounds: 1,
      rows: 500,
      help: false,
    })
  })

  test('puts the whole table into the README, or nothing', () => {
    expect(readOptions(['--', '--readme', '--json'], scenarios)).toMatchObject({ names: scenarios, readme: true })
  })

  test.each([
    [['four']],
    [['--seconds', '0']],
    [['--seconds', 'x']],
    [['--rounds', '1.5']],
    [['--rows', '0']],
    [['--fast']],
    [['--readme', 'one']],
    [['--readme', '--seconds', '1']],
  ])('refuses %j', (args) => {
    expect(() => readOptions(args, scenarios)).toThrow(BenchError)
  })

  test('says which seconds are taken', () => {
    expect(() => readOptions(['--seconds', '0'], scenarios)).toThrow('above 0, at most 20')
  })
})
