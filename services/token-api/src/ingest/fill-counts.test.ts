import { describe, expect, test } from 'vitest'
import { fillCounts } from './fill-counts.ts'
import { parseEvents } from './parse-events.ts'

const event = (data: object) => ({
  specversion: '1.0',
  type: 'tollgate.usage.recorded.v1',
  source: 'librechat',
  id: 'event-1',
  data: {
    organization_id: 'ac3e0000-0000-4000-8000-000000000001',
    user_id: '5b1f5a5e-0000-4000-8000-000000000001',
    session_id: 'chat-1',
    model: 'claude-sonnet-4-5',
    ...data,
  },
})
const anthropic = {
  input_tokens: 50,
  cache_creation_input_tokens: 248,
  cache_read_input_tokens: 1_800,
  output_tokens: 5,
}
const parse = (data: object) => parseEvents([event(data)], 'application/json', Date.now())

test("a provider's usage object becomes canonical counts", () => {
  const { events, rejected } = parse({ usage: anthropic })
  expect(rejected).toEqual([])
  expect(events[0]?.event.data).toMatchObject({
    input_tokens: 2_098,
    output_tokens: 5,
    cache_read_input_tokens: 1_800,
    cache_creation_input_tokens: 248,
    reasoning_output_tokens: 0,
  })
  expect(events[0]?.event.data).not.toHaveProperty('usage')
})

test('an event with counts, or without data, stays as it is', () => {
  for (const item of [event({ input_tokens: 1, output_tokens: 1 }), { data: null }, 'text', null, 3, []]) {
    expect(fillCounts(item)).toEqual({ item })
  }
})

describe('is rejected, never counted as zero', () => {
  test.each([
    [{ usage: null }, 'usage_missing', 'no usage'],
    [{ usage: {} }, 'usage_missing', 'empty'],
    [{ usage: { output_tokens: 12 } }, 'usage_missing', 'input_tokens is missing'],
    [{ usage: { prompt_tokens: 'many' } }, 'invalid_event', 'whole number'],
    [{ usage: { prompt_tokens: 2e9, completion_tokens: 1 } }, 'invalid_event', 'input_tokens'],
    [{ usage: { tokens: 3 } }, 'invalid_event', 'no known format'],
    [{ usage: anthropic, output_tokens: 5 }, 'invalid_event', 'not both'],
  ])('%j', (data, reason, detail) => {
    expect(parse(data).rejected).toMatchObject([{ id: 'event-1', reason, detail: expect.stringContaining(detail) }])
  })
})
