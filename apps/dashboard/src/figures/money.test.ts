import { fromPicodollars, toPicodollars } from '@tollgate/shared/quota/for-pages'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sumMoney } from './money.ts'

it('a picodollar more or less is kept', () => {
  expect(sumMoney(['0.1', '0.2', '0.000000000001'])).toBe('0.300000000001')
  expect(sumMoney(['-5', '0.5', null])).toBe('-4.5')
})

it('what is unknown is not zero', () => {
  expect(sumMoney([null, null])).toBeNull()
  expect(sumMoney([])).toBeNull()
})

it('reads what it writes, of any amount', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (n) => toPicodollars(fromPicodollars(n)) === n),
  )
})
