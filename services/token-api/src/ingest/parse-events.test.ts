import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseEvents } from './parse-events.ts'

const NOW_MS = Date.UTC(2026, 10, 23, 10)
const DAY_MS = 86_400_000
const JSON_TYPE = 'application/json'

const data = {
  organization_id: 'AC3E0000-0000-4000-8000-000000000001',
  user_id: '5b1f5a5e-0000-4000-8000-000000000001',
  session_id: 'chat-1',
  model: 'gpt-4o',
  input_tokens: 374,
  output_tokens: 44,
}
const usage = (changes: object = {}, dataChanges: object = {}) => ({
  specversion: '1.0',
  type: 'tollgate.usage.recorded.v1',
  source: 'librechat',
  id: 'event-1',
  ...changes,
  data: { ...data, ...dataChanges },
})
const parse = (body: unknown, type = JSON_TYPE) => parseEvents(body, type, NOW_MS)
const rejectionOf = (event: unknown) => parse([event]).rejected[0]

test('an event is understood, its ids made canonical and its gaps filled', () => {
  const { events, rejected } = parse(usage({ time: '2026-11-23T12:00:00+02:00', subject: 'ignored' }))
  expect(rejected).toEqual([])
  expect(events).toMatchObject([
    {
      index: 0,
      time: '2026-11-23T10:00:00.000Z',
      event: {
        data: { organization_id: data.organization_id.toLowerCase(), cache_read_input_tokens: 0, message_count: 1 },
      },
    },
  ])
})

test('without a time the event happened at its arrival', () => {
  expect(parse(usage()).events[0]?.time).toBe(new Date(NOW_MS).toISOString())
})

test('a bad event never fails its neighbours', () => {
  const { events, rejected } = parse([usage(), usage({ id: 'bad' }, { input_tokens: -1 }), null, usage({ id: 'c' })])
  expect(events.map(({ index }) => index)).toEqual([0, 3])
  expect(rejected).toMatchObject([
    { index: 1, id: 'bad', reason: 'invalid_event', detail: expect.stringContaining('data.input_tokens') },
    { index: 2, id: null, reason: 'invalid_event' },
  ])
})

describe('what does not count', () => {
  test('usage and corrections under the source of opening balances', () => {
    const { user_id, session_id, model, ...counts } = data
    const correction = {
      ...usage({ type: 'tollgate.usage.corrected.v1' }),
      data: { ...counts, corrects: { source: 'tollgate', id: 'opening-balance:x' }, revision: 1 },
    }
    for (const event of [usage({ source: 'tollgate' }), correction]) {
      expect(rejectionOf(event)).toMatchObject({ reason: 'invalid_event', detail: 'source: tollgate is reserved' })
    }
    const other = { ...correction, data: { ...correction.data, corrects: { source: 'librechat', id: 'event-1' } } }
    expect(parse([other]).events).toHaveLength(1)
  })

  const COUNTS: unknown[] = [-1, 0.5, 1e21, 1_000_000_001, 2 ** 53, '374', '', null, true, [374], { value: 374 }]
  test.each(COUNTS)('%j as a count', (count) => {
    expect(rejectionOf(usage({}, { input_tokens: count }))).toMatchObject({ reason: 'invalid_event' })
  })

  const EVENTS: [name: string, event: unknown][] = [
    ['no data', { ...usage(), data: undefined }],
    ['no model', usage({}, { model: undefined })],
    ['no id', usage({ id: undefined })],
    ['an empty id', usage({ id: '' })],
    ['an id of 257 characters', usage({ id: 'x'.repeat(257) })],
    ['NUL in the id', usage({ id: 'a\u0000b' })],
    ['a lone surrogate in the session', usage({}, { session_id: '\ud800' })],
    ['another specversion', usage({ specversion: '0.3' })],
    ['an organization that is no uuid', usage({}, { organization_id: "x' or 1=1" })],
    ['more cached than input', usage({}, { cache_read_input_tokens: 375 })],
    ['more reasoning than output', usage({}, { reasoning_output_tokens: 45 })],
    ['a date that does not exist', usage({ time: '2026-02-30T00:00:00Z' })],
    ['a time without a zone', usage({ time: '2026-11-23T10:00:00' })],
    ['a number', 42],
    ['text', 'event'],
    ['a list', [usage()]],
  ]
  test.each(EVENTS)('%s', (_name, event) => {
    expect(rejectionOf(event)).toMatchObject({ reason: 'invalid_event' })
  })

  test.each(['tollgate.usage.recorded.v2', 'tollgate.login.started.v1', 'com.example', ''])('type %j', (type) => {
    expect(rejectionOf(usage({ type }))).toMatchObject({ reason: 'unsupported_type' })
  })

  test('too late and too early, to the millisecond', () => {
    const at = (ms: number) => parse([usage({ time: new Date(ms).toISOString() })])
    expect(at(NOW_MS - 35 * DAY_MS).events).toHaveLength(1)
    expect(at(NOW_MS - 35 * DAY_MS - 1).rejected[0]?.reason).toBe('too_late')
    expect(at(NOW_MS + 300_000).events).toHaveLength(1)
    expect(at(NOW_MS + 300_001).rejected[0]?.reason).toBe('too_early')
  })
})

describe('the body', () => {
  test.each([null, undefined, 42, 'text', true])('%j is no event', (body) => {
    expect(() => parse(body)).toThrow(expect.objectContaining({ code: 'bad-request' }))
  })
  test('1,000 events are taken, 1,001 are too many', () => {
    const events = Array.from({ length: 1_001 }, (_, index) => usage({ id: `event-${index}` }))
    expect(parse(events.slice(1)).events).toHaveLength(1_000)
    expect(() => parse(events)).toThrow(expect.objectContaining({ code: 'payload-too-large' }))
  })
  test('the declared mode holds', () => {
    expect(parse(usage(), 'application/cloudevents+json; charset=utf-8').events).toHaveLength(1)
    expect(parse([usage()], 'application/cloudevents-batch+json').events).toHaveLength(1)
    expect(() => parse([usage()], 'application/cloudevents+json')).toThrow()
    expect(() => parse(usage(), 'application/cloudevents-batch+json')).toThrow()
  })
  test('prototypes stay as they are', () => {
    const event: unknown = JSON.parse(
      JSON.stringify(usage({}, { metadata: 1 })).replace('"metadata":1', '"__proto__":{"polluted":1}'),
    )
    expect(parse(event).events).toHaveLength(1)
    const started = `{"specversion":"1.0","type":"tollgate.session.started.v1","source":"s","id":"i","data":
      {"organization_id":"${data.organization_id}","user_id":"${data.user_id}","session_id":"s",
      "metadata":{"__proto__":{"polluted":1},"constructor":"x"}}}`
    parse(JSON.parse(started))
    expect({}).not.toHaveProperty('polluted')
  })
  test('depth costs nothing', () => {
    const deep: unknown = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000))
    expect(parse([usage({ extension: deep }), deep]).events).toHaveLength(1)
  })
})

test('each item of any batch lands on exactly one list, and nothing throws', () => {
  const item = fc.oneof(
    fc.jsonValue(),
    fc.record({ input_tokens: fc.jsonValue() }).map((change) => usage({}, change)),
  )
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), (items) => {
      const { events, rejected } = parse(items)
      const indexes = [...events, ...rejected].map(({ index }) => index).sort((one, other) => one - other)
      expect(indexes).toEqual(items.map((_, index) => index))
      for (const { event } of events) {
        if (event.type !== 'tollgate.usage.recorded.v1') continue
        expect(Number.isSafeInteger(event.data.input_tokens) && event.data.input_tokens >= 0).toBe(true)
      }
    }),
  )
})
