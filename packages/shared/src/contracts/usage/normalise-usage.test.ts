import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { USAGE_FORMATS } from './formats.ts'
import { normaliseUsage } from './normalise-usage.ts'

const corpusFile = z.strictObject({
  fields: z.string(),
  cases: z
    .array(
      z.strictObject({
        name: z.string(),
        usage: z.unknown(),
        expect: z.union([
          z.strictObject({ fault: z.enum(['missing', 'unreadable']) }),
          z.strictObject({
            input_tokens: z.int(),
            output_tokens: z.int(),
            cache_read_input_tokens: z.int(),
            cache_creation_input_tokens: z.int(),
            reasoning_output_tokens: z.int(),
          }),
        ]),
      }),
    )
    .min(1),
})
const directory = join(import.meta.dirname, 'corpus')
const files = globSync('*.json', { cwd: directory }).toSorted()

test('the corpus has every format', () => {
  expect(files.map((file) => file.replace('.json', ''))).toEqual(
    expect.arrayContaining(USAGE_FORMATS.map(({ name }) => name)),
  )
})

describe.each(files)('%s', (file) => {
  const { cases } = corpusFile.parse(JSON.parse(readFileSync(join(directory, file), 'utf8')))
  test.each(cases.map((one) => [one.name, one] as const))('%s', (_name, { usage, expect: expected }) => {
    const result = normaliseUsage(usage)
    if ('fault' in expected) expect(result).toMatchObject(expected)
    else expect(result).toEqual(expected)
  })
})

test('whatever is in it: counts whose parts fit into the whole, or a fault, never an exception', () => {
  const names = USAGE_FORMATS.flatMap(({ marks, input, output, cacheRead, cacheCreation, reasoning, total }) => [
    ...marks,
    ...[input, output, cacheRead, cacheCreation, reasoning, total].flat(2),
  ])
  const value = fc.oneof(fc.nat(1_000), fc.nat(1_000), fc.constant(null), fc.jsonValue())
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), value), (flat) => {
      const usage: Record<string, unknown> = {}
      for (const [path, count] of Object.entries(flat)) {
        const [first = '', second] = path.split('/')
        usage[first] = second === undefined ? count : { [second]: count }
      }
      const result = normaliseUsage(usage)
      if ('fault' in result) return
      expect(result.cache_read_input_tokens + result.cache_creation_input_tokens).toBeLessThanOrEqual(
        result.input_tokens,
      )
      expect(result.reasoning_output_tokens).toBeLessThanOrEqual(result.output_tokens)
    }),
  )
})
