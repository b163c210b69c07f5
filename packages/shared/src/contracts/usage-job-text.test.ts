import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AcceptedEvent, acceptedEvent } from './events.ts'
import { usageEventsJob } from './queues.ts'
import {
  isEventsText,
  joinEvents,
  listEvents,
  readUsageJob,
  type UsageEventsText,
  usageEventsFromJob,
  writeEvents,
  writeUsageJob,
} from './usage-job-text.ts'

// Whatever looks like the marks of the format stands in the middle of it.
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }).filter((value) => !value.includes('\u0000')),
  fc.constantFrom('{"type":"', '"},{"type":"usage.recorded"', ']}', '\\', '"', '\\"', '\n', 'ü€😀', '",', '$'),
)
const instant = fc
  .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
  .map((date) => date.toISOString())
const count = fc.oneof(
  fc.integer({ min: 0, max: 1_000_000_000 }),
  fc.constantFrom(0, 9, 10, 999_999_999, 1_000_000_000),
)
const OPTIONAL = ['message_id', 'provider', 'reservation_id'] as const
const row = fc.record({
  type: fc.constant('usage.recorded' as const),
  source: text,
  id: text,
  time: instant,
  received_at: instant,
  member: fc.boolean(),
  organization_id: fc.uuid(),
  user_id: fc.uuid(),
  session_id: text,
  message_id: text,
  provider: text,
  model: text,
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
  reasoning_output_tokens: count,
  message_count: fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.constantFrom(0, 1, 999_999, 1_000_000)),
  reservation_id: fc.uuid(),
})
const usage: fc.Arbitrary<AcceptedEvent> = fc.tuple(row, fc.subarray([...OPTIONAL])).map(([whole, absent]) => {
  for (const name of absent) Reflect.deleteProperty(whole, name)
  return whole
})
const some = fc.array(usage, { minLength: 1, maxLength: 5 })
const parse = (job: string): UsageEventsText => usageEventsFromJob.parse(JSON.parse(job))

test('usage is read as it was written, alone and joined, and a job of it is one that its schema takes', () => {
  const run = fc.property(fc.array(some, { minLength: 1, maxLength: 3 }), (parts) => {
    const events = parts.flat()
    const written = joinEvents(parts.map(writeEvents))
    expect(written).toEqual(writeEvents(events))
    expect(written.receivedAt).toBe(events.map((one) => one.received_at).sort()[0])
    const job = writeUsageJob(written)
    expect(readUsageJob(job)).toEqual(written)
    expect(listEvents(written)).toEqual(events)
    expect(usageEventsJob.parse(JSON.parse(job))).toEqual({ v: 1, events })
    expect(parse(job)).toEqual(written)
  })
  fc.assert(run, { numRuns: 300 })
})

test('what the pattern takes is usage to the schema as well, or nothing that Postgres reads', () => {
  let taken = 0
  const changes = ['', '0', '9', '-', '"', '}', ',', '\\', 'x', 'A', '.', '{"type":', 'null', ' ']
  const run = fc.property(some, fc.nat(), fc.constantFrom(...changes), fc.boolean(), (events, at, change, isAdded) => {
    const job = writeUsageJob(writeEvents(events))
    const place = at % job.length
    const spoilt = job.slice(0, place) + change + job.slice(isAdded ? place : place + 1)
    const read = readUsageJob(spoilt)
    if (read === undefined) return
    taken++
    expect(read.count).toBe(events.length)
    for (const event of listOrNone(read)) expect(faultsOf(event)).toEqual([])
  })
  fc.assert(run, { numRuns: 3_000 })
  expect(taken).toBeGreaterThan(300)
})

// Text that jsonb refuses may pass: it is found where the transaction is.
function faultsOf(event: unknown): unknown[] {
  const issues = acceptedEvent.safeParse(event).error?.issues ?? []
  return issues.filter(({ message }) => !message.startsWith('must be well-formed Unicode'))
}

function listOrNone(events: UsageEventsText): AcceptedEvent[] {
  try {
    return listEvents(events)
  } catch {
    return []
  }
}

const [sample] = fc.sample(usage, 1)
if (sample === undefined) throw new Error('no sample')
const HEAD = '{"v":1,"received_at":"2026-11-25T10:00:00.000Z","events":['

test.each([
  ...['', '{}', 'null', 'no json', '{"v":1,"events":[]}', `${HEAD}]}`, `${HEAD}{}]}`],
  ...[
    `${HEAD}${JSON.stringify(sample)},]}`,
    `${HEAD}${JSON.stringify(sample)}{}]}`,
    `${HEAD}${JSON.stringify(sample)}`,
  ],
  `${HEAD}${JSON.stringify({ ...sample, more: 1 })}]}`,
  writeUsageJob(writeEvents([sample])).replace('"v":1', '"v":2'),
  // Raw, where JSON has them escaped.
  ...['\u0000', '\n', '\\\u0000', '\u001f'].map((raw) =>
    writeUsageJob(writeEvents([sample])).replace('"source":"', `"source":"${raw}`),
  ),
])('%j is left to the schema', (job) => {
  expect(readUsageJob(job)).toBeUndefined()
})

test('a job with an event that is no usage is left to the schema, which reads it', () => {
  const { source, id, time, received_at, member } = sample
  const where = { organization_id: '00000000-0000-4000-8000-000000000001', session_id: 's', reason: 'logout' }
  const user_id = '00000000-0000-4000-8000-0000000000a1'
  const ended = { type: 'session.ended', source, id, time, received_at, member, ...where, user_id } as const
  const job = writeUsageJob(writeEvents([sample, ended]))
  expect(readUsageJob(job)).toBeUndefined()
  expect(listEvents(parse(job))).toEqual([sample, ended])
})

test('a job of the last release gives the same events', () => {
  const job = readFileSync(join(import.meta.dirname, 'last-release/usage-events.json'), 'utf8')
  expect(listEvents(parse(job))).toMatchObject(JSON.parse(job).events)
})

test('only events that were written are taken for such', () => {
  expect(isEventsText(writeEvents([sample]))).toBe(true)
  for (const other of [null, 'text', 1, [], { v: 1, events: [] }]) expect(isEventsText(other)).toBe(false)
})
