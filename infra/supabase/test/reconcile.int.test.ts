import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import {
  type BooksDrift,
  type BooksScan,
  createPgRpc,
  type Rpc,
  type RpcRow,
  type RpcStore,
} from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventOf, ORGANIZATIONS, type UsageEvent } from './usage-fixture.ts'

const now = Date.now()
const [ORGANIZATION] = ORGANIZATIONS
let database: TestDatabase
let admin: pg.Client
let store: RpcStore
let rpc: Rpc

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  const use = { max: 6, applicationName: 'test', statementTimeoutMs: 30_000, onError: () => undefined }
  store = createPgRpc({ connectionString: database.urls['usage-worker'], ...use })
  rpc = store.rpc
})
afterAll(async () => {
  await store.close()
  await admin.end()
  await database.drop()
})
beforeEach(async () => {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, tollgate.usage_by_month, public.chat_sessions, tollgate.period_totals,
    tollgate.preexisting_usage`)
})

const event = (key: number, change: Partial<UsageEvent> = {}): UsageEvent => ({
  ...eventOf(key, now),
  time: new Date(now - (key % 30) * 86_400_000).toISOString(),
  ...change,
})
const ingest = (events: object[]) => rpc('ingest_usage', { batch: { events } })
const keys = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

/** A whole pass over the books. */
async function reconcile(wishes: Partial<BooksScan> = {}): Promise<{ slices: number; drift: BooksDrift[] }> {
  const whole = { slices: 0, drift: [] as BooksDrift[] }
  let scan: BooksScan | null = { repair: true, budget_ms: 50, ...wishes }
  while (scan !== null) {
    const [step]: RpcRow<'reconcile_books'>[] = await rpc('reconcile_books', { scan })
    if (!step) throw new Error('no row')
    whole.slices += step.slices
    whole.drift.push(...step.drift)
    scan = step.resume
  }
  return whole
}

async function readBooks(): Promise<Record<string, string[]>> {
  const books: Record<string, string[]> = {}
  for (const table of [
    'public.usage_metrics',
    'tollgate.usage_by_model',
    'tollgate.usage_by_organization_model',
    'tollgate.period_totals',
    'public.chat_sessions',
  ]) {
    const columns = `to_jsonb(t) - '{updated_at,evaluate_at,metadata_at,model_used,model_used_at}'::text[]`
    const { rows } = await admin.query<{ row: string }>(`select (${columns})::text as row from ${table} t order by 1`)
    books[table] = rows.map(({ row }) => row)
  }
  return books
}

describe('reconcile_books', () => {
  it('goes through every day, month, session and period, and finds nothing in sound books', async () => {
    await ingest(keys(0, 120).map((key) => event(key)))
    const { slices, drift } = await reconcile()
    expect(drift).toEqual([])
    const { rows } = await admin.query(`select
      (select count(distinct (organization_id, date)) from public.usage_metrics)
      + (select count(distinct (organization_id, date_trunc('month', date))) from public.usage_metrics)
      + (select count(distinct (organization_id, (started_at at time zone 'UTC')::date)) from public.chat_sessions)
      + (select count(*) from tollgate.period_totals) as expected`)
    expect(slices).toBe(Number(rows[0].expected))
    for (const since of [undefined, new Date(now - 86_400_000).toISOString().slice(0, 10)]) {
      // of days that still change no month
      const { rows } = await admin.query('select * from public.count_slices($1, $2)', [null, since])
      expect(Number(rows[0].slices)).toBe((await reconcile({ since })).slices)
    }
  })

  const PLANTED: [string, string, BooksDrift['rollup']][] = [
    [
      'one LLM token too much of a user and day',
      'update public.usage_metrics set tokens_used = tokens_used + 1',
      'usage_metrics',
    ],
    [
      'one LLM token too few of a model',
      'update tollgate.usage_by_model set total_tokens = total_tokens - 1',
      'usage_by_model',
    ],
    ['one LLM token of a session', 'update public.chat_sessions set total_tokens = total_tokens + 1', 'chat_sessions'],
    ['one LLM token of a period', 'update tollgate.period_totals set used_tokens = used_tokens - 1', 'period_totals'],
    ['a picodollar of a day', 'update public.usage_metrics set cost_usd = cost_usd + 0.000000000001', 'usage_metrics'],
    ['a lost day', 'delete from public.usage_metrics', 'usage_metrics'],
    ['a lost model', 'delete from tollgate.usage_by_model', 'usage_by_model'],
    [
      'a token of an organization and model',
      'update tollgate.usage_by_organization_model set total_tokens = total_tokens + 1',
      'usage_by_organization_model',
    ],
    ['a lost period', 'delete from tollgate.period_totals', 'period_totals'],
  ]
  it.each(PLANTED)('finds and repairs %s', async (_what, change, rollup) => {
    await ingest(keys(0, 40).map((key) => event(key)))
    const sound = await readBooks()
    const table = rollup === 'usage_metrics' || rollup === 'chat_sessions' ? `public.${rollup}` : `tollgate.${rollup}`
    await admin.query(`${change} where ctid = (select ctid from ${table} order by organization_id limit 1)`)
    expect(await readBooks()).not.toEqual(sound)
    const reported = await reconcile({ repair: false })
    // A lost period is reported by each of its days.
    expect(new Set(reported.drift.map((row) => row.rollup))).toEqual(new Set([rollup]))
    if (!change.startsWith('delete')) expect(reported.drift).toHaveLength(1)
    await reconcile()
    expect(await readBooks()).toEqual(sound)
    expect((await reconcile()).drift).toEqual([])
  })

  it('gives a lost session its row and its figures again', async () => {
    await ingest([event(1), event(2)])
    await admin.query('delete from public.chat_sessions')
    expect((await reconcile()).drift.length).toBeGreaterThan(0)
    const { rows } =
      await admin.query(`select sum(total_tokens)::int as tokens, sum((session_metadata ->> 'tokens')::int)::int as metadata
      from public.chat_sessions`)
    const tokens = [event(1), event(2)].reduce((sum, e) => sum + e.input_tokens + e.output_tokens, 0)
    expect(rows).toEqual([{ tokens, metadata: tokens }])
  })

  it('makes a row that nothing explains zero, and has the enforcer look again', async () => {
    await ingest([event(0)])
    await admin.query('update tollgate.period_totals set used_tokens = 1e12, evaluate_at = null')
    await reconcile()
    const { rows } = await admin.query(
      'select used_tokens::int as used, evaluate_at::int as at from tollgate.period_totals',
    )
    expect(rows).toEqual([{ used: event(0).input_tokens + event(0).output_tokens, at: 0 }])
  })

  it('reports no drift while four writers ingest, and ends with sound books', async () => {
    let isWriting = true
    let passes = 0
    const writers = Promise.all(
      keys(0, 4).map(async (writer) => {
        for (let batch = 0; batch < 25 || passes < 3; batch++) {
          const from = (writer % 2) * 5_000 + batch * 20
          await ingest(keys(from, from + 20).map((key) => event(key)))
        }
      }),
    ).finally(() => {
      isWriting = false
    })
    const found: BooksDrift[] = []
    while (isWriting) {
      found.push(...(await reconcile({ budget_ms: 5 })).drift)
      passes++
    }
    await writers
    expect(found).toEqual([])
    expect((await reconcile()).drift).toEqual([])
  })

  it('repairs under full load without losing what is being counted', async () => {
    let isWriting = true
    const writers = Promise.all(
      keys(0, 3).map(async (writer) => {
        for (let batch = 0; batch < 20; batch++) {
          const from = writer * 5_000 + batch * 20
          await ingest(keys(from, from + 20).map((key) => event(key)))
        }
      }),
    ).finally(() => {
      isWriting = false
    })
    while (isWriting) {
      await admin.query(`update public.usage_metrics set tokens_used = tokens_used + 7, cost_usd = cost_usd + 1
        where ctid = (select ctid from public.usage_metrics order by random() limit 1)`)
      await reconcile()
    }
    await writers
    await reconcile()
    const ledger = `select sum(total_tokens)::text as tokens, coalesce(sum(cost_usd), 0)::text as cost from tollgate.usage_events`
    const rollup = `select sum(tokens_used)::text as tokens, sum(cost_usd)::text as cost from public.usage_metrics`
    expect((await admin.query(rollup)).rows).toEqual((await admin.query(ledger)).rows)
    expect((await reconcile()).drift).toEqual([])
  })

  /** Repairs a day while a transaction that counts on it has not committed yet, and commits it in the middle. */
  async function repairInTheMiddle(): Promise<BooksDrift[]> {
    await ingest([event(0)])
    await admin.query('update public.usage_metrics set tokens_used = tokens_used + 1')
    const writer = new pg.Client(database.urls['usage-worker'])
    await writer.connect()
    await writer.query('begin')
    const next = { ...event(0), id: 'in-the-middle' }
    await writer.query('select * from public.ingest_usage($1)', [{ events: [next] }])
    const repaired = reconcile()
    const waiting = `select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%reconcile_books%'`
    await expect.poll(async () => (await admin.query(waiting)).rows[0].n, { timeout: 20_000 }).toBe(1)
    await writer.query('commit')
    await writer.end()
    await repaired
    return (await reconcile({ repair: false })).drift
  }

  it('waits for what is being counted on a day that it repairs', async () => {
    expect(await repairInTheMiddle()).toEqual([])
  })

  it('is caught by that very test when it takes no locks', async () => {
    const path = join(import.meta.dirname, '../schemas/40-functions/repair_day.sql')
    const sound = readFileSync(path, 'utf8').replaceAll('create function', 'create or replace function')
    // `on conflict do nothing` waits for a row that is being updated, too.
    const reckless = sound
      .replaceAll(/ +(perform tollgate[^;]+|insert into [^;]+\s+on conflict do nothing);/g, '')
      .replaceAll(' for update)', ')')
    await admin.query(reckless)
    try {
      expect(await repairInTheMiddle()).not.toEqual([])
    } finally {
      await admin.query(sound)
    }
  })

  it('keeps usage that was there before Tollgate, as an opening balance', async () => {
    await admin.query(
      `insert into public.usage_metrics (organization_id, user_id, date, tokens_used, cost_usd, message_count)
       values ($1, $2, (now() - interval '20 days')::date, 500, 1.25, 3)`,
      [ORGANIZATION, '00000000-0000-4000-8000-0000000000a1'],
    )
    expect((await reconcile({ repair: false })).drift).toEqual([])
    expect((await reconcile()).drift).toEqual([])
    const { rows } = await admin.query(`select e.entry, e.total_tokens::int as tokens, e.cost_usd::float as cost,
      m.tokens_used::int as rollup, b.total_tokens::int as by_model, t.used_tokens::int as period
      from tollgate.usage_events e, public.usage_metrics m, tollgate.usage_by_model b, tollgate.period_totals t`)
    expect(rows).toEqual([
      { entry: 'opening_balance', tokens: 500, cost: 1.25, rollup: 500, by_model: 500, period: 500 },
    ])
    expect((await reconcile()).drift).toEqual([])
    // A note of what was posted already: nothing to post, but rows were locked, and are not to be asked for again.
    await admin.query(`insert into tollgate.preexisting_usage
      select organization_id, user_id, date, tokens_used, 0, 0, 0, 0, 0 from public.usage_metrics`)
    const post = 'select tollgate.post_opening_balances(organization_id, date) as did from public.usage_metrics'
    expect((await admin.query(post)).rows).toEqual([{ did: true }])
    expect((await admin.query(post)).rows).toEqual([{ did: false }])
    expect((await reconcile()).drift).toEqual([])
  })

  it('loses nothing of what was there before Tollgate, on the day of the installation and beside later events', async () => {
    const USER = '00000000-0000-4000-8000-0000000000a1'
    const at = (daysAgo: number) => new Date(now - daysAgo * 86_400_000).toISOString()
    const before = `insert into public.usage_metrics (organization_id, user_id, date, tokens_used)
      values ($1, $2, $3::date, $4)`
    await admin.query(before, [ORGANIZATION, USER, at(0).slice(0, 10), 500])
    await admin.query(before, [ORGANIZATION, USER, at(5).slice(0, 10), 700])
    const late = event(1, { organization_id: ORGANIZATION, user_id: USER, time: at(5) })
    const tokens = late.input_tokens + late.output_tokens
    await ingest([late])
    expect((await reconcile({ repair: false })).drift).toEqual([])
    await reconcile()
    const { rows } = await admin.query(`select m.tokens_used::int as tokens, sum(b.total_tokens)::int as by_model
      from public.usage_metrics m join tollgate.usage_by_model b using (organization_id, user_id, date)
      group by m.date, m.tokens_used order by m.date`)
    expect(rows).toEqual([
      { tokens: 700 + tokens, by_model: 700 + tokens },
      { tokens: 500, by_model: 500 },
    ])
    expect((await reconcile()).drift).toEqual([])
    expect((await admin.query('select sum(used_tokens)::int as used from tollgate.period_totals')).rows).toEqual([
      { used: 1_200 + tokens },
    ])
  })
})
