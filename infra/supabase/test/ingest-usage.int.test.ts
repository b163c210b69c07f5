import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readRollups } from './rollup-audit.ts'
import { batchOf, deliveries, eventOf, FORMS, ORGANIZATIONS, type UsageEvent } from './usage-fixture.ts'
import { MARKUP } from './usage-fold.ts'

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
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals, tollgate.event_inbox, tollgate.dead_letters`)
}

interface Ingested {
  outcomes: { i: number; outcome: string; reason?: string; conflict?: boolean }[]
  totals: { organization_id: string; used_tokens: string; evaluate: boolean }[]
  unpriced: number
}

const ingest = (events: readonly object[]): Promise<Ingested> => ingestBatch({ events })

async function ingestBatch(batch: object | string): Promise<Ingested> {
  const { rows } = await worker.query<Ingested>('select * from public.ingest_usage(batch => $1)', [batch])
  const [row] = rows
  if (!row) throw new Error('ingest_usage returned no row')
  return row
}

const event = (key: number, change: Partial<UsageEvent> = {}): UsageEvent => ({ ...eventOf(key, now), ...change })

async function expectRollupsAreTheFold(keys: Iterable<number>): Promise<void> {
  const { actual, expected } = await readRollups(
    admin,
    [...new Set(keys)].map((key) => event(key)),
  )
  expect(actual).toEqual(expected)
}

/** One after the other, as rows, as objects, or as both. */
async function deliverAll(batches: number[][]): Promise<void> {
  for (const [turn, batch] of batches.entries()) {
    const form = FORMS[turn % FORMS.length] ?? 'rows'
    await ingestBatch(
      batchOf(
        batch.map((key) => event(key)),
        form,
      ),
    )
  }
}

describe('ingest_usage', () => {
  it('makes every rollup the fold of the distinct events, whatever the order, the batches and the repeats', async () => {
    await fc.assert(
      fc.asyncProperty(deliveries, async (delivered) => {
        await emptyTables()
        const batches = delivered.map((batch) => batch.map(([key]) => key))
        await deliverAll(batches)
        await expectRollupsAreTheFold(batches.flat())
      }),
      { numRuns: 15 },
    )
  })

  it('is caught by this very audit when it updates the rollups before it looks for duplicates', async () => {
    const path = join(import.meta.dirname, '../schemas/40-functions/ingest_usage.sql')
    const sound = readFileSync(path, 'utf8').replaceAll('create function', 'create or replace function')
    const broken = sound.replace('tollgate.roll_up_days(entries)', 'tollgate.roll_up_days(judged)')
    expect(broken).not.toBe(sound)
    await admin.query(broken)
    try {
      await deliverAll([
        [1, 2],
        [2, 3],
      ])
      const { actual, expected } = await readRollups(
        admin,
        [1, 2, 3].map((key) => event(key)),
      )
      expect(actual.ledger).toEqual(expected.ledger)
      expect(actual.usage_metrics).not.toEqual(expected.usage_metrics)
    } finally {
      await admin.query(sound)
    }
  })

  it('counts an event once when eight connections deliver the same batches in different orders', async () => {
    const clients = Array.from({ length: 8 }, () => new pg.Client(database.urls['usage-worker']))
    await Promise.all(clients.map((client) => client.connect()))
    const keys = Array.from({ length: 200 }, (_, key) => key)
    await Promise.all(
      clients.map(async (client, turn) => {
        for (let from = 0; from < keys.length; from += 50) {
          const start = (from + turn * 25) % keys.length
          const batch = [...keys, ...keys].slice(start, start + 50)
          const events = (turn % 2 ? batch.reverse() : batch).map((key) => event(key))
          await client.query('select * from public.ingest_usage(batch => $1)', [{ events }])
        }
      }),
    )
    await Promise.all(clients.map((client) => client.end()))
    await expectRollupsAreTheFold(keys)
  })

  it('tells a repeat from a contradiction', async () => {
    const first = event(1)
    await ingest([first])
    const { outcomes } = await ingest([
      first,
      { ...first, time: new Date(now - 1_000).toISOString() },
      { ...first, input_tokens: first.input_tokens + 1 },
      { ...first, model: 'another' },
    ])
    expect(outcomes.map(({ i, outcome, conflict }) => [i, outcome, conflict])).toEqual([
      [0, 'duplicate', false],
      [1, 'duplicate', false],
      [2, 'duplicate', true],
      [3, 'duplicate', true],
    ])
    await expectRollupsAreTheFold([1])
  })

  it('counts an identity once, also with another time beyond a month border, in whatever order the two come', async () => {
    const before = event(1, { time: '2026-10-31T23:59:59Z', received_at: '2026-11-01T00:00:05Z' })
    const after = { ...before, time: '2026-11-01T00:00:01Z' }
    for (const [first, second] of [
      [before, after],
      [after, before],
    ] as const) {
      await emptyTables()
      expect((await ingest([first])).outcomes).toEqual([])
      expect((await ingest([second])).outcomes).toEqual([{ i: 0, outcome: 'duplicate', conflict: false }])
      const { actual, expected } = await readRollups(admin, [first])
      expect(actual).toEqual(expected)
    }
  })

  it('counts ids that tell their time once each, and keeps those of the same seconds beside each other', async () => {
    const at = (time: string, rest: string) => `${time.slice(0, 8)}-${time.slice(8)}-7${rest}`
    const later = ['2d3d4', '2c4d5', '2c5d6'].map((end) => at(`019a1b${end}0`, 'ccc-8ddd-000000000001'))
    const together = ['1', '2', '3', '4'].map((end) => at('019a1b2c3000', `bbb-8ccc-00000000000${end}`))
    const odd = [at('änderung', 'é-7-'), at('019A1B2C3000', 'bbb-8ccc-000000000001'), at('________', '%%%-____')]
    const events = [...later, ...odd, ...together].map((id) => event(1, { id }))
    expect((await ingest(events)).outcomes).toEqual([])
    expect((await ingest(events)).outcomes).toHaveLength(events.length)
    const { rows } = await admin.query<{ event_id: string }>(
      'select event_id from tollgate.usage_events join tollgate.usage_event_identities using (organization_id, digest) order by digest',
    )
    const ordered = rows.map(({ event_id }) => event_id)
    expect(ordered).toHaveLength(events.length)
    const first = Math.min(...together.map((id) => ordered.indexOf(id)))
    expect(ordered.slice(first, first + together.length).toSorted()).toEqual(together)
  })

  it('keeps an unknown price as NULL and counts it as unpriced', async () => {
    const { unpriced } = await ingest([event(1, { model: 'model-without-a-price' })])
    expect(unpriced).toBe(1)
    const { rows } = await admin.query('select cost_usd, price_id from tollgate.usage_events')
    expect(rows).toEqual([{ cost_usd: null, price_id: null }])
  })

  it('lets an own price of the operator win over the seeded one', async () => {
    await admin.query(`insert into tollgate.model_prices (provider, model, origin, input_usd_per_mtok, output_usd_per_mtok)
      values ('openai', 'gpt-4o', 'operator', 1, 2)`)
    try {
      const tokens = { input_tokens: 10, output_tokens: 10, cache_read_input_tokens: 0, reasoning_output_tokens: 0 }
      await ingest([event(1, { model: 'gpt-4o', ...tokens })])
      const { rows } = await admin.query('select cost_usd from tollgate.usage_events')
      expect(rows).toEqual([{ cost_usd: '0.000030000000' }])
    } finally {
      await admin.query(`delete from tollgate.model_prices where origin = 'operator'`)
    }
  })

  it('judges the membership where the API could not, and rejects without touching the neighbours', async () => {
    const { outcomes } = await ingest([event(1, { member: false }), event(2)])
    expect(outcomes).toEqual([{ i: 0, outcome: 'rejected', reason: 'unknown_organization' }])
    await expectRollupsAreTheFold([2])
  })

  it('puts day and period into the time zone of the organization', async () => {
    const [organization] = ORGANIZATIONS
    await admin.query(`update tollgate.organization_settings set time_zone = 'Asia/Tokyo' where organization_id = $1`, [
      organization,
    ])
    try {
      await ingest([
        event(1, { organization_id: organization, time: '2026-10-31T15:30:00Z', received_at: '2026-11-01T00:00:00Z' }),
      ])
      const { rows } =
        await admin.query(`select usage_date::text, period_start at time zone 'UTC' = '2026-10-31 15:00' as p
        from tollgate.usage_events`)
      expect(rows).toEqual([{ usage_date: '2026-11-01', p: true }])
    } finally {
      await admin.query(
        `update tollgate.organization_settings set time_zone = 'UTC'; delete from tollgate.period_schedules`,
      )
    }
  })

  it('gives the same session whatever order its start, its usage and its end arrive in', async () => {
    const [organization_id] = ORGANIZATIONS
    const received_at = '2026-11-01T12:00:00Z'
    const base = { organization_id, source: 's', member: true, received_at }
    const user_id = event(1).user_id
    const own = { ...base, user_id, session_id: 'c' }
    const story = [
      {
        ...own,
        type: 'session.started',
        id: 'a',
        time: '2026-11-01T10:00:00Z',
        model: 'gpt-4o',
        metadata: { topic: 'x' },
      },
      event(1, { organization_id, user_id, session_id: 'c', time: '2026-11-01T10:05:00Z', received_at }),
      event(2, { organization_id, user_id, session_id: 'c', time: '2026-11-01T10:07:00Z', received_at }),
      { ...own, type: 'session.ended', id: 'b', time: '2026-11-01T11:00:00Z', reason: 'logout' },
    ]
    const rows: unknown[] = []
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(story, { minLength: story.length }), fc.boolean(), async (order, inOne) => {
        await emptyTables()
        if (inOne) await ingest(order)
        else for (const one of order) await ingest([one])
        const found = await admin.query('select to_jsonb(c) as session from public.chat_sessions c')
        rows.push(found.rows[0].session)
        expect(found.rows[0].session).toEqual(rows[0])
      }),
      { numRuns: 12 },
    )
    expect(rows[0]).toMatchObject({ status: 'ended', end_reason: 'logout', session_metadata: { topic: 'x' } })
  })

  it('wakes the enforcer for the current period alone, and only from evaluate_at on', async () => {
    const [organization_id] = ORGANIZATIONS
    const current = { organization_id, time: new Date(now).toISOString() }
    const { totals } = await ingest([event(1, current)])
    expect(totals.map((total) => total.evaluate)).toEqual([true])
    await admin.query('update tollgate.period_totals set evaluate_at = 1000000000')
    expect((await ingest([event(2, current)])).totals.map((total) => total.evaluate)).toEqual([false])
    const past = { organization_id, time: new Date(now - 33 * 86_400_000).toISOString() }
    expect((await ingest([event(3, past)])).totals.map((total) => total.evaluate)).toEqual([false])
  })

  it('drains the inbox once, however many workers do it at a time', async () => {
    const keys = Array.from({ length: 60 }, (_, key) => key)
    for (let from = 0; from < 60; from += 5) {
      const events = keys.slice(from, from + 5).map((key) => event(key))
      await admin.query('select * from public.park_events(batch => $1)', [{ events }])
    }
    const other = new pg.Client(database.urls['usage-worker'])
    await other.connect()
    const drain = async (client: pg.Client): Promise<number> => {
      let recorded = 0
      for (;;) {
        const { rows } = await client.query('select drained, recorded from public.drain_inbox(2)')
        if (rows[0].drained === 0) return recorded
        recorded += rows[0].recorded
      }
    }
    const recorded = await Promise.all([drain(worker), drain(other)])
    await other.end()
    expect(recorded.reduce((sum, count) => sum + count)).toBe(60)
    await expectRollupsAreTheFold(keys)
  })
})
