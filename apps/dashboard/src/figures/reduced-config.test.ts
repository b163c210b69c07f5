import type { ReducedConfig } from '@tollgate/shared/contracts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { describeReduction, FEATURES, readReducedConfig, writeNames } from './reduced-config.ts'

const names = fc.array(fc.stringMatching(/^[a-z][a-z0-9.-]{0,8}$/), { maxLength: 3 })
const config = fc.record(
  {
    enabled_models: names,
    allowed_endpoints: names,
    features: fc.record(
      { file_upload: fc.boolean(), image_generation: fc.boolean(), voice_chat: fc.boolean() },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
)

/** What a browser sends of the fields that show a config. */
function formOf({ enabled_models, allowed_endpoints, features = {} }: ReducedConfig): FormData {
  const form = new FormData()
  form.set('usual-models', writeNames(enabled_models))
  form.set('usual-endpoints', writeNames(allowed_endpoints))
  for (const [name, isOn] of Object.entries(features)) if (!isOn) form.append('usual-off', name)
  return form
}

it('fields that nobody touched say the config that they were filled from; none is never taken for all', () => {
  fc.assert(
    fc.property(config, (before) => {
      expect(readReducedConfig(formOf(before), 'usual', before)).toEqual(before)
    }),
  )
})

it('a feature that is switched off, and back on, is one', () => {
  const off = formOf({})
  for (const name of Object.keys(FEATURES)) off.append('usual-off', name)
  const all = { file_upload: false, image_generation: false, voice_chat: false, code_interpreter: false }
  expect(readReducedConfig(off, 'usual', {})).toEqual({ features: all })
  expect(readReducedConfig(formOf({}), 'usual', { features: all })).toEqual({ features: {} })
})

it.each([
  [{}, 'everything'],
  ['small models', '“small models”'],
  [{ enabled_models: ['a', 'b'], features: { voice_chat: false } }, 'of the models a, b; no voice chat'],
  [{ allowed_endpoints: [] }, 'no endpoint'],
])('%j leaves %s', (reduction, text) => {
  expect(describeReduction(reduction)).toBe(text)
})
