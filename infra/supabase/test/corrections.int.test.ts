import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readRollups } from './rollup-audit.ts'
import { correctedDeliveries, correctionOf, type Delivery, eventOf, ORGANIZATIONS } from './usage-fixture.ts'
import { MARKUP, whatHolds } from './usage-fold.ts'

let database: TestDatabase
let admin: pg.Client
let worker: pg.Client
const now = Date.now()

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  worker = new pg.Client(database.urls['usage-worker'])
  await Promise.all([admin.connect(), worker.connect()])
  await admin.query('insert into tollgate.organization_settings (organization_id, markup_percent) values ($1, $2)', [
    ORGANIZATIONS[0],
    Number(MARKUP) / 1_000,
  ])
})
afterAll(async () => {
  await Promise.all([admin.end(), worker.end()])
  await database.drop()
})
beforeEach(emptyTables)

async function emptyTables(): Promise<void> {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals,
    tollgate.pending_corrections`)
}

const toEvent = ([key, revision]: Delivery): object =>
  revision === 0 ? eventOf(key, now) : correctionOf(key, revision, now)

async function ingest(events: readonly object[], client = worker) {
  const { rows } = await client.query('select * from public.ingest_usage(batch => $1)', [{ events }])
  return rows[0]
}

async function expectWhatHolds(delivered: readonly Delivery[]): Promise<void> {
  const { actual, expected } = await readRollups(admin, whatHolds(delivered, now))
  expect(actual).toEqual(expected)
}

const sent = (...deliveries: Delivery[]): Promise<unknown> => ingest(deliveries.map(toEvent))

describe('corrections', () => {
  it('leave ledger, rollups, sessions and periods as the fold of what holds, in any order, split and repetition', async () => {
    await fc.assert(
      fc.asyncProperty(correctedDeliveries, async (batches) => {
        await emptyTables()
        for (const batch of batches) await ingest(batch.map(toEvent))
        await expectWhatHolds(batches.flat())
      }),
      { numRuns: 30 },
    )
  })

  it('are caught by this very audit when they reach the ledger and no rollup', async () => {
    const path = join(import.meta.dirname, '../schemas/40-functions/ingest_usage.sql')
    const sound = readFileSync(path, 'utf8').replaceAll('create function', 'create or replace function')
    const broken = sound.replace('entries := fresh || corrected', 'entries := fresh')
    expect(broken).not.toBe(sound)
    await admin.query(broken)
    try {
      await sent([1, 0], [1, 1])
      const { actual, expected } = await readRollups(
        admin,
        whatHolds(
          [
            [1, 0],
            [1, 1],
          ],
          now,
        ),
      )
      expect(actual.ledger).toEqual(expected.ledger)
      expect(actual.usage_metrics).not.toEqual(expected.usage_metrics)
    } finally {
      await admin.query(sound)
    }
  })

  it('add entries and edit none: a reversal of what held and its replacement', async () => {
    await sent([1, 0])
    const { rows: before } = await admin.query('select to_jsonb(e) as entry from tollgate.usage_events e')
    await sent([1, 1], [1, 2])
    const { rows } = await admin.query(`select entry, revision, to_jsonb(e) as row, usage_date, period_start, session_id
      from tollgate.usage_events e order by recorded_at, total_tokens < 0 desc`)
    expect(rows.map(({ entry, revision }) => [entry, revision])).toEqual([
      ['usage', 0],
      ['reversal', 2],
      ['replacement', 2],
    ])
    expect(rows[0].row).toEqual(before[0].entry)
    expect(new Set(rows.map((row) => `${row.usage_date} ${row.period_start} ${row.session_id}`)).size).toBe(1)
  })

  it('say what became of them: recorded, a repeat, a contradiction, overtaken', async () => {
    const second = correctionOf(2, 2, now)
    await sent([2, 0], [2, 2])
    const { outcomes } = await ingest([
      second,
      { ...second, input_tokens: second.input_tokens + 1 },
      correctionOf(2, 1, now),
      correctionOf(2, 3, now),
      { ...correctionOf(3, 1, now), organization_id: '00000000-0000-4000-8000-00000000dead', member: false },
    ])
    expect(outcomes.toSorted((a: { i: number }, b: { i: number }) => a.i - b.i)).toEqual([
      { i: 0, outcome: 'duplicate', conflict: false },
      { i: 1, outcome: 'duplicate', conflict: true },
      { i: 2, outcome: 'duplicate', conflict: false },
      { i: 4, outcome: 'rejected', reason: 'unknown_organization' },
    ])
  })

  it('wait for an original that has not arrived, of which nobody else may lose them', async () => {
    expect((await ingest([correctionOf(1, 2, now), correctionOf(1, 1, now)])).outcomes).toHaveLength(1)
    expect((await ingest([correctionOf(1, 2, now)])).outcomes).toEqual([
      { i: 0, outcome: 'duplicate', conflict: false },
    ])
    await expectWhatHolds([[1, 2]])
    await sent([1, 0])
    await expectWhatHolds([
      [1, 0],
      [1, 2],
    ])
    expect((await admin.query('select from tollgate.pending_corrections')).rowCount).toBe(0)
  })

  it('are not lost when original and correction are recorded at the same moment', async () => {
    const other = new pg.Client(database.urls['usage-worker'])
    await other.connect()
    for (const [first, second] of [
      [0, 1],
      [1, 0],
    ] as const) {
      await emptyTables()
      await worker.query('begin')
      await ingest([toEvent([7, first])])
      const waiting = ingest([toEvent([7, second])], other)
      await expect
        .poll(async () => (await admin.query(`select from pg_locks where not granted`)).rowCount, { timeout: 20_000 })
        .toBeGreaterThan(0)
      await worker.query('commit')
      await waiting
      await expectWhatHolds([
        [7, 0],
        [7, 1],
      ])
    }
    await other.end()
  })

  it('end the same when eight connections deliver the same events and corrections in different orders', async () => {
    const all: Delivery[] = Array.from({ length: 200 }, (_, index): Delivery => [index % 50, Math.floor(index / 50)])
    const clients = Array.from({ length: 8 }, () => new pg.Client(database.urls['usage-worker']))
    await Promise.all(clients.map((client) => client.connect()))
    await Promise.all(
      clients.map(async (client, turn) => {
        for (let from = 0; from < all.length; from += 40) {
          const start = (from + turn * 25) % all.length
          const batch = [...all, ...all].slice(start, start + 40)
          await ingest((turn % 2 ? batch.reverse() : batch).map(toEvent), client)
        }
      }),
    )
    await Promise.all(clients.map((client) => client.end()))
    await expectWhatHolds(all)
  })

  it('are priced as of the time of the original, and take a re-rate back with what they reverse', async () => {
    const original = { ...eventOf(1, now), model: 'model-without-a-price' }
    await ingest([original])
    await admin.query(`insert into tollgate.usage_events
      select (jsonb_populate_record(e, '{"entry": "rerate", "input_tokens": 0, "output_tokens": 0, "total_tokens": 0,
        "cache_read_input_tokens": 0, "reasoning_output_tokens": 0, "message_count": 0, "event_count": 0,
        "unpriced_events": -1, "cost_usd": 1, "charge_usd": 1}')).* from tollgate.usage_events e`)
    await ingest([{ ...correctionOf(1, 1, now), input_tokens: 100 }])
    const { rows } = await admin.query(`select sum(cost_usd)::float8 as cost, sum(unpriced_events)::int as unpriced,
      sum(event_count)::int as events from tollgate.usage_events`)
    expect(rows).toEqual([{ cost: 0, unpriced: 1, events: 1 }])
  })

  it('wake the enforcer when a total falls, whatever it waits for', async () => {
    const current = { ...eventOf(1, now), time: new Date(now).toISOString() }
    await ingest([current])
    await admin.query('update tollgate.period_totals set evaluate_at = null')
    const empty = { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 0, reasoning_output_tokens: 0 }
    const { totals } = await ingest([{ ...correctionOf(1, 1, now), ...empty }])
    expect(totals).toMatchObject([{ used_tokens: '0', evaluate: true }])
  })
})
