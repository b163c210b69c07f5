import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { type AcceptedEvent, joinEvents, USAGE_COLUMNS, writeEvents } from '@tollgate/shared/contracts'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { eventOf } from './usage-fixture.ts'

let database: TestDatabase
let admin: pg.Client
let worker: pg.Client
const now = Date.now()

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  worker = new pg.Client(database.urls['usage-worker'])
  await Promise.all([admin.connect(), worker.connect()])
})
afterAll(async () => {
  await Promise.all([admin.end(), worker.end()])
  await database.drop()
})
beforeEach(emptyTables)

async function emptyTables(): Promise<void> {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals`)
}

const asRows = (events: readonly AcceptedEvent[]): string => joinEvents([writeEvents(events)]).json
const asObjects = (events: readonly AcceptedEvent[]): string => JSON.stringify({ events })

async function ingest(batch: string) {
  const { rows } = await worker.query('select outcomes, unpriced, holds from public.ingest_usage(batch => $1)', [batch])
  return rows[0]
}

/** The outcomes of a batch, and the ledger after it. */
async function record(batch: string) {
  await emptyTables()
  const told = await ingest(batch)
  const { rows } = await admin.query(
    `select to_jsonb(e) - 'recorded_at' as entry from tollgate.usage_events e order by organization_id, digest`,
  )
  return { told, ledger: rows.map(({ entry }) => entry) }
}

test('the columns of a row are those of its type, in one order', async () => {
  const { rows } = await admin.query<{ name: string; type: string }>(`
    select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
    where attrelid = (select typrelid from pg_type where oid = 'tollgate.usage_row'::regtype) order by attnum`)
  expect(rows.map(({ name }) => name)).toEqual(Object.keys(USAGE_COLUMNS))
  const kindOf = (type: string) => (type === 'boolean' ? type : /int/.test(type) ? 'count' : 'text')
  expect(rows.map(({ type }) => kindOf(type))).toEqual(Object.values(USAGE_COLUMNS).map(({ kind }) => kind))
})

const MARKS = [
  '"',
  '\\',
  '\\"',
  '""',
  ',',
  '(',
  ')',
  ' ',
  '\\n',
  '\\N',
  'null',
  'NULL',
  '{',
  '}',
  "'",
  '$1',
  '%',
  ';',
  'ü',
  '😀',
]
const text = fc.oneof(
  fc.array(fc.constantFrom(...MARKS), { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }).filter((value) => !value.includes('\u0000')),
)
const optional = fc.option(text, { nil: undefined })
const hostile = fc
  .tuple(
    fc.nat(1_000),
    fc.record({ source: text, id: text, session_id: text, message_id: optional, provider: optional, model: text }),
    fc.record({ member: fc.boolean(), reservation_id: fc.option(fc.uuid(), { nil: undefined }) }),
    fc.boolean(),
  )
  .map(([key, texts, others, isPriced]): AcceptedEvent => {
    return { ...eventOf(key, now), ...texts, ...others, ...(isPriced ? { model: 'gpt-4o', provider: 'openai' } : {}) }
  })

test('usage is the same entries of the ledger, and told the same of, as rows and as objects', async () => {
  let inRows = 0
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { minLength: 1, maxLength: 25 }), async (events) => {
      const fit = events.filter((event) => writeEvents([event]).form === 'rows')
      if (fit.length === 0) return
      inRows += fit.length
      expect(await record(asRows(fit))).toEqual(await record(asObjects(fit)))
    }),
    { numRuns: 25 },
  )
  expect(inRows).toBeGreaterThan(50)
})

test('one batch takes both: rows are numbered first, and an event that stands in both halves counts once', async () => {
  const [a, b, c, d] = [1, 2, 3, 4].map((key): AcceptedEvent => eventOf(key, now))
  if (!a || !b || !c || !d) throw new Error('no events')
  const { rows } = JSON.parse(asRows([a, b, { ...c, member: false }]))
  const { outcomes } = await ingest(JSON.stringify({ rows, events: [b, d, { ...a, model: 'another' }, c] }))
  expect(outcomes.toSorted((one: { i: number }, other: { i: number }) => one.i - other.i)).toEqual([
    { i: 2, outcome: 'rejected', reason: 'unknown_organization' },
    { i: 3, outcome: 'duplicate', conflict: false },
    { i: 5, outcome: 'duplicate', conflict: true },
  ])
  const { rows: counted } = await admin.query('select event_id from tollgate.usage_events order by event_id')
  expect(counted.map(({ event_id }) => event_id)).toEqual([a, b, c, d].map(({ id }) => id))
})

test.each(['{}', '{"rows": null}', '{"rows": ""}', '{"events": []}', '{"rows": "", "events": []}'])(
  '%s is no event',
  async (batch) => {
    expect(await ingest(batch)).toMatchObject({ outcomes: [], unpriced: 0 })
    expect((await admin.query('select from tollgate.usage_events')).rowCount).toBe(0)
  },
)

const PLACES = { source: 1, time: 3, user_id: 7, input_tokens: 12, message_count: 17 }
test.each<[keyof typeof PLACES | 'row', string, string]>([
  ['input_tokens', '9223372036854775808', '22003'],
  ['message_count', '2147483648', '22003'],
  ['time', '2026-02-30T00:00:00.000Z', '22008'],
  ['user_id', 'nobody', '22P02'],
  ['input_tokens', '', '23502'],
  ['source', 'a,b', '22007'],
  ['row', '', '22P02'],
])(
  'a row with the %s %j is refused, and with it the transaction, as an object would be',
  async (column, value, code) => {
    const { rows } = JSON.parse(asRows([eventOf(1, now), eventOf(2, now)]))
    const [first, second = ''] = rows.split('\n')
    const fields = second.slice(1, -1).split(',')
    const spoilt = column === 'row' ? value : `(${fields.with(PLACES[column] - 1, value).join(',')})`
    await expect(ingest(JSON.stringify({ rows: [first, spoilt].join('\n') }))).rejects.toMatchObject({ code })
    expect((await admin.query('select from tollgate.usage_events')).rowCount).toBe(0)
  },
)
