import { describe, expect, test } from 'vitest'
import { addLicences, findMissing, licenceOf, nameOf, readBill } from './bill.ts'

const component = (name: string, more: object = {}) => ({
  name,
  version: '1.0.0',
  purl: `pkg:npm/${name}@1.0.0`,
  ...more,
})
const billOf = (...components: object[]) => readBill({ bomFormat: 'CycloneDX', specVersion: '1.7', components })
const licensed = (...licenses: object[]) => billOf(component('a', { licenses })).components.map(licenceOf)

describe('the licence of a component', () => {
  test.each([
    ['MIT', [{ license: { id: 'MIT' } }]],
    ['MIT OR Apache-2.0', [{ expression: 'MIT OR Apache-2.0' }]],
    ['(MIT OR ISC) AND Zlib', [{ expression: 'MIT OR ISC' }, { license: { id: 'Zlib' } }]],
    ['Own terms', [{ license: { name: 'Own terms' } }]],
    ['', []],
  ])('is %j', (expression, licenses) => {
    expect(licensed(...licenses)).toEqual([expression])
  })
})

describe('a bill', () => {
  test('that lacks a licence gets the one of the very version, and keeps all else', () => {
    const bill = billOf(
      component('old', { group: '@some', hashes: ['kept'] }),
      component('other'),
      component('sure', { licenses: [{ license: { id: 'ISC' } }] }),
    )
    const complete = addLicences(bill, {
      MIT: [
        { name: '@some/old', versions: ['0.9.0', '1.0.0'] },
        { name: 'sure', versions: ['1.0.0'] },
      ],
      'Apache-2.0': [{ name: 'other', versions: ['2.0.0'] }],
      Unknown: [{ name: 'other', versions: ['1.0.0'] }],
    })
    expect(complete.components.map(licenceOf)).toEqual(['MIT', '', 'ISC'])
    expect(complete.components.map(nameOf)).toEqual(['@some/old', 'other', 'sure'])
    expect(complete).toMatchObject({ specVersion: '1.7', components: [{ hashes: ['kept'] }, {}, {}] })
  })

  test('is not whole without what every machine needs', () => {
    const here = billOf(component('a'), component('for-this-machine'))
    expect(findMissing(here, billOf(component('a')))).toEqual([])
    expect(findMissing(here, billOf(component('a'), component('b')))).toEqual(['pkg:npm/b@1.0.0'])
  })

  test('is nothing else', () => {
    expect(() => readBill({})).toThrow()
  })
})
