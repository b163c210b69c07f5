import fc from 'fast-check'
import { expect, it } from 'vitest'
import { chooseLooks } from './looks.ts'
import { OTHER } from './stack.ts'

const names = (max: number) => fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: max })

it('a group looks the same whatever else is shown, in whichever order, and no two look alike', () => {
  const views = names(21).chain((known) => fc.record({ known: fc.constant(known), shown: fc.subarray(known) }))
  fc.assert(
    fc.property(views, ({ known, shown }) => {
      const whole = chooseLooks(known, known)
      const looks = chooseLooks(known.toReversed(), [...shown.toReversed(), OTHER])
      for (const name of shown) expect(looks.get(name)).toBe(whole.get(name))
      expect(new Set(looks.values()).size).toBe(looks.size)
    }),
  )
})

it('beyond what there are looks for, no two of those that are shown look alike', () => {
  fc.assert(
    fc.property(names(60), fc.subarray([...'abcdefghij'], { maxLength: 7 }), (known, shown) => {
      expect(new Set(chooseLooks(known, shown).values()).size).toBe(shown.length)
    }),
  )
})

it('patterns come when every colour is taken', () => {
  const known = Array.from({ length: 8 }, (_, n) => `model-${n}`)
  const looks = [...chooseLooks(known, known).values()]
  expect(looks.filter((look) => look.endsWith('striped'))).toHaveLength(1)
  expect(chooseLooks(known, [OTHER]).get(OTHER)).toBe('c-other')
})
