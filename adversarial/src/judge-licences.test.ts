import { describe, expect, test } from 'vitest'
import { judgeLicences } from './judge-licences.ts'

const rowOf = (licence: string) => judgeLicences({ [licence]: [{ name: 'a', versions: ['1.0.0'] }] })[0]

describe('a licence', () => {
  test.each(['MIT', '(MIT OR GPL-3.0)', 'MIT OR Apache-2.0', 'MIT AND ISC', 'MPL-2.0'])('%s is good', (licence) => {
    expect(rowOf(licence)).toMatchObject({ isGood: true, packages: ['a'] })
  })
  test.each(['GPL-3.0', 'AGPL-3.0-only', 'MIT AND GPL-2.0', 'Unknown', 'SEE LICENSE IN x', 'BUSL-1.1'])(
    '%s is not',
    (licence) => {
      expect(rowOf(licence)).toMatchObject({ isGood: false })
    },
  )
})
