import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readCanonicalUsage } from './canonical-usage.ts'
import { publicEvent } from './events.ts'

const uuid = fc.uuid()
const count = fc.integer({ min: 0, max: 1_000_000_000 })
const usage = fc
  .record(
    {
      specversion: fc.constant('1.0'),
      type: fc.constant('tollgate.usage.recorded.v1'),
      source: fc.string({ minLength: 1, maxLength: 20 }),
      id: fc.string({ minLength: 1, maxLength: 20 }),
      time: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((date) => date.toISOString()),
      extension: fc.string(),
    },
    { requiredKeys: ['specversion', 'type', 'source', 'id'] },
  )
  .chain((event) => data().map((body) => ({ ...event, data: body })))

function data() {
  const required = ['organization_id', 'user_id', 'session_id', 'model', 'input_tokens', 'output_tokens'] as const
  return fc.record(
    {
      organization_id: uuid,
      user_id: uuid,
      session_id: fc.string({ minLength: 1, maxLength: 20 }),
      message_id: fc.string({ minLength: 1, maxLength: 20 }),
      provider: fc.string({ minLength: 1, maxLength: 20 }),
      model: fc.string({ minLength: 1, maxLength: 20 }),
      input_tokens: count,
      output_tokens: count,
      cache_read_input_tokens: fc.integer({ min: 0, max: 3 }),
      cache_creation_input_tokens: fc.integer({ min: 0, max: 3 }),
      reasoning_output_tokens: fc.integer({ min: 0, max: 3 }),
      message_count: fc.integer({ min: 0, max: 1_000_000 }),
      reservation_id: uuid,
      extra: fc.string(),
    },
    { requiredKeys: [...required] },
  )
}

// What a sender may get wrong, at a place of its own.
const oddities = [
  ...['', 'x'.repeat(201), 'x'.repeat(257), 'a\u0000b', '\ud800', 'NOT-A-UUID', '00000000-0000-4000-8000-00000000000G'],
  ...['5B1F5A5E-0000-4000-8000-000000000001', '2026-02-30T10:00:00.000Z', '2026-11-23T12:00:00+02:00', '2026-11-23'],
  ...['2026-11-23T24:00:00.000Z', '2026-11-23T23:59:60.000Z', '0.3', '1.0', 'tollgate.session.ended.v1'],
  ...[-1, 0, -0, 0.5, 1e9 + 1, 1_000_001, Number.NaN, Number.POSITIVE_INFINITY, true, null, [], {}, undefined],
]
const NAMES = ['specversion', 'type', 'source', 'id', 'time', 'data'].map((name) => [name])
const DATA_NAMES = ['organization_id', 'user_id', 'session_id', 'message_id', 'provider', 'model', 'input_tokens']
DATA_NAMES.push('output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'reasoning_output_tokens')
DATA_NAMES.push('message_count', 'reservation_id')
const places = [...NAMES, ...DATA_NAMES.map((name) => ['data', name])]

function spoil(event: object, [first = '', second]: readonly string[], oddity: unknown): object {
  const inner: unknown = Reflect.get(event, first)
  if (second === undefined || typeof inner !== 'object' || inner === null) return { ...event, [first]: oddity }
  return { ...event, [first]: { ...inner, [second]: oddity } }
}

test('most usage is canonical, and is read as publicEvent reads it', () => {
  let canonical = 0
  const run = fc.property(usage, (event) => {
    const read = readCanonicalUsage(event)
    const parsed = publicEvent.safeParse(event)
    if (read !== undefined) expect(read).toStrictEqual(parsed.data)
    if (parsed.success && read !== undefined) canonical++
    expect(read !== undefined).toBe(parsed.success)
  })
  fc.assert(run, { numRuns: 500 })
  expect(canonical).toBeGreaterThan(250)
})

test('nothing is taken for canonical that publicEvent refuses or reads otherwise', () => {
  const run = fc.property(usage, fc.constantFrom(...places), fc.constantFrom(...oddities), (event, place, oddity) => {
    const spoilt = spoil(event, place, oddity)
    const read = readCanonicalUsage(spoilt)
    if (read !== undefined) expect(read).toEqual(publicEvent.parse(spoilt))
  })
  fc.assert(run, { numRuns: 5_000 })
})

test.each([null, 'text', 4, [], { data: null }, { data: [] }])('%j is no usage', (value) => {
  expect(readCanonicalUsage(value)).toBeUndefined()
})
