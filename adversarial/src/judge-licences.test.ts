import { describe, expect, test } from 'vitest'
import { judgeLicences } from './judge-licences.ts'

const isGood = (licence: string, name = 'a') =>
  judgeLicences([{ name, version: '1.0.0', licence }]).map((row) => row.isGood)

describe('a licence', () => {
  test.each([
    'MIT',
    '(MIT OR GPL-3.0)',
    'MIT OR Apache-2.0',
    'MIT AND ISC',
    'GPL-2.0-only OR (MIT AND ISC)',
    '(GPL-3.0 AND GPL-2.0) OR MIT',
  ])('%s is good', (licence) => {
    expect(isGood(licence)).toEqual([true])
  })
  test.each([
    'GPL-3.0',
    'AGPL-3.0-only',
    'MIT AND GPL-2.0',
    '(MIT OR ISC) AND (GPL-2.0 OR GPL-3.0)',
    'MPL-2.0',
    'BUSL-1.1',
    'SEE LICENSE IN x',
    'UNLICENSED',
    'MIT-like',
    '',
  ])('%j is not', (licence) => {
    expect(isGood(licence)).toEqual([false])
  })
  test('of an exception is good there, and nowhere else', () => {
    expect(isGood('MPL-2.0', 'axe-core')).toEqual([true])
    expect(isGood('GPL-3.0', 'axe-core')).toEqual([false])
    expect(isGood('', 'axe-core')).toEqual([false])
    expect(isGood('MPL-2.0', 'axe-core-like')).toEqual([false])
  })
})

test('packages stand by licence, those without one under a word that says so', () => {
  const packages = [
    { name: 'b', licence: 'MIT' },
    { name: 'x', licence: '' },
    { name: 'a', licence: 'MIT' },
    { name: 'axe-core', licence: 'MPL-2.0' },
    { name: 'other', licence: 'MPL-2.0' },
  ].map((row) => ({ ...row, version: '1.0.0' }))
  expect(judgeLicences(packages).map(({ licence, packages, isGood }) => [licence, packages, isGood])).toEqual([
    ['MIT', ['a@1.0.0', 'b@1.0.0'], true],
    ['MPL-2.0', ['axe-core@1.0.0'], true],
    ['MPL-2.0', ['other@1.0.0'], false],
    ['unknown', ['x@1.0.0'], false],
  ])
})
