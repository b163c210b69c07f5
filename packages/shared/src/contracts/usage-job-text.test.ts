import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AcceptedEvent, acceptedEvent } from './events.ts'
import { usageEventsJob } from './queues.ts'
import {
  dealOutcomes,
  isEventsText,
  joinEvents,
  joinTexts,
  listEvents,
  readUsageJob,
  type UsageEventsText,
  usageEventsFromJob,
  writeEvents,
  writeUsageJob,
} from './usage-job-text.ts'

// Whatever looks like the marks of the format stands in the middle of it.
const MARKS = [
  '{"type":"',
  '"},{"type":"usage.recorded"',
  ']}',
  '\\',
  '"',
  '\\"',
  'ü€😀',
  '",',
  '$',
  '"}',
  '(',
  ')',
  ',',
] as const
const LOOKALIKES = [
  ' a',
  'a ',
  '(a,"b")',
  ')\\n(',
  '\\n',
  '""',
  '"a"',
  '\\\\',
  '\\u0000',
  'NULL',
  'null',
  '{}',
  '%',
  "'",
] as const
const ofCharacters = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' })
const isInRow = (value: string) => [...value].every((one) => one >= ' ')
const rowText = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }),
  ofCharacters.filter(isInRow),
  fc.constantFrom(...MARKS, ...LOOKALIKES),
  // A provider has 64 characters at most, and a spoilt one a few more than it had.
  fc
    .array(fc.constantFrom(...MARKS, ...LOOKALIKES), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join(''))
    .filter((joined) => joined.length <= 50),
)
const text = fc.oneof(
  rowText,
  ofCharacters.filter((value) => !value.includes('\u0000')),
  fc.constantFrom('\n', '\t\r\n', '\u001f'),
)
const instant = fc
  .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
  .map((date) => date.toISOString())
const count = fc.oneof(
  fc.integer({ min: 0, max: 1_000_000_000 }),
  fc.constantFrom(0, 9, 10, 999_999_999, 1_000_000_000),
)
const OPTIONAL = ['message_id', 'provider', 'reservation_id'] as const
const rowOf = (text: fc.Arbitrary<string>) =>
  fc.record({
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
type Usage = Extract<AcceptedEvent, { type: 'usage.recorded' }>
const usageOf = (text: fc.Arbitrary<string>): fc.Arbitrary<Usage> =>
  fc.tuple(rowOf(text), fc.subarray([...OPTIONAL])).map(([whole, absent]) => {
    for (const name of absent) Reflect.deleteProperty(whole, name)
    return whole
  })
const someOf = (usage: fc.Arbitrary<Usage>) => fc.array(usage, { minLength: 1, maxLength: 5 })
const someInRows = someOf(usageOf(rowText))
const some = fc.oneof(someInRows, someOf(usageOf(text)))
const parse = (job: string): UsageEventsText => usageEventsFromJob.parse(JSON.parse(job))
const textsOf = (event: Usage) => [
  event.source,
  event.id,
  event.session_id,
  event.message_id,
  event.provider,
  event.model,
]

test('usage is read as it was written: in rows where all of its texts may stand in one, else as objects', () => {
  const forms = new Set()
  const run = fc.property(some, (events) => {
    const written = writeEvents(events)
    forms.add(written.form)
    expect(written.form).toBe(
      events.flatMap(textsOf).every((one) => one === undefined || isInRow(one)) ? 'rows' : 'objects',
    )
    expect(written.receivedAt).toBe(events.map((one) => one.received_at).sort()[0])
    expect(listEvents(written)).toEqual(events)
    const job = writeUsageJob(written)
    expect(readUsageJob(job) ?? parse(job)).toEqual(written)
    if (written.form === 'objects') expect(usageEventsJob.parse(JSON.parse(job))).toEqual({ v: 1, events })
    else expect(readUsageJob(job)).toEqual(written)
  })
  fc.assert(run, { numRuns: 600 })
  expect(forms).toEqual(new Set(['rows', 'objects']))
})

test('parts are joined to a batch, rows first, and each part is dealt the outcomes of its own events', () => {
  const run = fc.property(fc.array(some, { minLength: 1, maxLength: 6 }), (groups) => {
    const parts = groups.map(writeEvents)
    const batch = joinEvents(parts)
    const { rows, events }: { rows?: string; events?: AcceptedEvent[] } = JSON.parse(batch.json)
    const ofRows = rows === undefined ? [] : listEvents({ form: 'rows', text: JSON.stringify(rows).slice(1, -1) })
    const all = [...ofRows, ...(events ?? [])]
    expect(batch.count).toBe(all.length)
    expect(batch.receivedAt).toBe(all.map((one) => one.received_at).sort()[0])
    expect(dealOutcomes(parts, all)).toEqual(groups)
    expect(rows === undefined).toBe(parts.every(({ form }) => form === 'objects'))
    expect(events === undefined).toBe(parts.every(({ form }) => form === 'rows'))
  })
  fc.assert(run, { numRuns: 200 })
})

test('texts of one form are joined to one, which holds the same as if all had been written at once', () => {
  const run = fc.property(fc.array(some, { minLength: 1, maxLength: 6 }), (groups) => {
    const byForm = Map.groupBy(groups, (events) => writeEvents(events).form)
    for (const [form, alike] of byForm) {
      const joined = joinTexts(alike.map(writeEvents))
      expect(joined).toEqual({ ...writeEvents(alike.flat()), form })
      expect(listEvents(joined)).toEqual(alike.flat())
    }
    if (byForm.size > 1) expect(() => joinTexts(groups.map(writeEvents))).toThrow(TypeError)
  })
  fc.assert(run, { numRuns: 200 })
})

test('what the pattern takes is usage to the schema as well', () => {
  let taken = 0
  const changes = ['', '0', '9', '-', '"', ')', '(', ',', '\\', '\\"', '\\n', '\\u0000', 'x', 'A', '.', ' ', '""']
  const run = fc.property(
    someInRows,
    fc.nat(),
    fc.constantFrom(...changes),
    fc.boolean(),
    (events, at, change, isAdded) => {
      const job = writeUsageJob(writeEvents(events))
      const place = at % job.length
      const read = readUsageJob(job.slice(0, place) + change + job.slice(isAdded ? place : place + 1))
      if (read === undefined) return
      taken++
      const listed = listEvents(read)
      expect(listed).toHaveLength(events.length)
      expect(read.count).toBe(events.length)
      for (const event of listed) expect(faultsOf(event)).toEqual([])
    },
  )
  fc.assert(run, { numRuns: 3_000 })
  expect(taken).toBeGreaterThan(300)
})

// Half of a character may pass: none comes out of Redis.
function faultsOf(event: unknown): unknown[] {
  const issues = acceptedEvent.safeParse(event).error?.issues ?? []
  return issues.filter(({ message }) => !message.startsWith('must be well-formed Unicode'))
}

const [sample] = fc.sample(usageOf(rowText), 1)
if (sample === undefined) throw new Error('no sample')

test.each<[string, Partial<Usage>]>([
  ['a time of another form', { time: '2026-11-25T10:00:00Z' }],
  ['no time', { received_at: 'soon' }],
  ['an empty text', { provider: '' }],
  ['half of a character', { model: 'a\ud800' }],
  ['a NUL', { session_id: 'a\u0000' }],
])('usage with %s is written as an object', (_, change) => {
  const events = [sample, { ...sample, ...change }]
  const written = writeEvents(events)
  expect(written.form).toBe('objects')
  expect(listEvents(written)).toEqual(events)
})

const HEAD = '{"v":2,"received_at":"2026-11-25T10:00:00.000Z","rows":"'
const AT = '2026-11-25T10:00:00.000Z'
const [ORGANIZATION, USER] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000a1']
const FIRST = `(librechat,msg-1,${AT},${AT},t,${ORGANIZATION},${USER},c,m-1,openai,gpt-4o,374,44,100,0,12,1,)`
const SECOND = String.raw`(\"a, \\\\ \"\"b\"\"\",msg-2,${AT},${AT},f,${ORGANIZATION},${USER},c,,,gpt-4o,1,2,0,0,0,0,${USER})`
const JOB = `${HEAD}${FIRST}\\n${SECOND}"}`

test('a job of rows, as it stands in Redis', () => {
  const usage = {
    type: 'usage.recorded',
    time: AT,
    received_at: AT,
    organization_id: ORGANIZATION,
    user_id: USER,
  } as const
  const none = { cache_creation_input_tokens: 0 }
  const events: AcceptedEvent[] = [
    {
      ...{ ...usage, source: 'librechat', id: 'msg-1', member: true, session_id: 'c', message_id: 'm-1', ...none },
      ...{ provider: 'openai', model: 'gpt-4o', input_tokens: 374, output_tokens: 44, cache_read_input_tokens: 100 },
      ...{ reasoning_output_tokens: 12, message_count: 1 },
    },
    {
      ...{
        ...usage,
        source: String.raw`a, \ "b"`,
        id: 'msg-2',
        member: false,
        session_id: 'c',
        model: 'gpt-4o',
        ...none,
      },
      ...{ input_tokens: 1, output_tokens: 2, cache_read_input_tokens: 0, reasoning_output_tokens: 0 },
      ...{ message_count: 0, reservation_id: USER },
    },
  ]
  expect(writeUsageJob(writeEvents(events))).toBe(JOB)
  expect(listEvents(readUsageJob(JOB) ?? parse(JOB))).toEqual(events)
})

test.each([
  ...['', '{}', 'null', 'no json', `${HEAD}"}`, `${HEAD}()"}`, `${HEAD}${FIRST}`, `${HEAD}${FIRST}\n${SECOND}"}`],
  ...[`${HEAD}${FIRST}\\n"}`, `${HEAD}${FIRST}${SECOND}"}`, `${HEAD}\\n${FIRST}"}`, `${HEAD}${FIRST}","v":"2"}`],
  ...[
    JOB.replace('"v":2', '"v":1'),
    JOB.replace('"v":2', '"v":3'),
    JOB.replace(',)', ',,)'),
    JOB.replace(',374,', ',,'),
  ],
  ...[JOB.replace('librechat', ''), JOB.replace('librechat', String.raw`\"\"`), JOB.replace('librechat', 'libre chat')],
  ...[JOB.replace('msg-1', 'msg(1'), JOB.replace('374', '1000000001'), JOB.replace(',t,', ',true,')],
  // Raw, or as JSON would have it; neither stands in a row.
  ...['\u0000', '\n', '\\\u0000', '\u001f', '\\u0000', '\\t', '\\n', '\\q'].map((one) => JOB.replace('a, ', one)),
])('%j is left to the schema', (job) => {
  expect(readUsageJob(job)).toBeUndefined()
})

test('a job with an event that is no usage is left to the schema, which reads it', () => {
  const { source, id, time, received_at, member } = sample
  const where = { organization_id: '00000000-0000-4000-8000-000000000001', session_id: 's', reason: 'logout' }
  const user_id = '00000000-0000-4000-8000-0000000000a1'
  const ended = { type: 'session.ended', source, id, time, received_at, member, ...where, user_id } as const
  const job = writeUsageJob(writeEvents([sample, ended]))
  expect(JSON.parse(job)).toMatchObject({ v: 1, events: [sample, ended] })
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
