import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { type BooksScan, createPgRpc, type Rpc, type RpcRow, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { correctionOf, eventOf } from './usage-fixture.ts'

const now = Date.now()
const DAY_MS = 86_400_000
let database: TestDatabase
let admin: pg.Client
let store: RpcStore
let rpc: Rpc

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  const use = { max: 4, applicationName: 'test', statementTimeoutMs: 30_000, onError: () => undefined }
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
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals, tollgate.sealed_days, tollgate.sealed_sessions,
    tollgate.sealed_periods, tollgate.period_statements`)
})

/** Usage of `daysAgo` days ago, as an import may bring it. */
const old = (key: number, daysAgo: number) => ({
  ...eventOf(key, now),
  imported: true,
  time: new Date(now - daysAgo * DAY_MS).toISOString(),
})
const ingest = (events: object[]) => rpc('ingest_usage', { batch: { events } })
const count = async (sql: string): Promise<number> =>
  Number((await admin.query(`select count(*) as n from ${sql}`)).rows[0].n)
const keys = (count: number) => Array.from({ length: count }, (_, key) => key)

async function findDrift(): Promise<unknown[]> {
  const drift: unknown[] = []
  let scan: BooksScan | null = { repair: false, budget_ms: 1_000 }
  while (scan !== null) {
    const [step]: RpcRow<'reconcile_books'>[] = await rpc('reconcile_books', { scan })
    drift.push(...(step?.drift ?? []))
    scan = step?.resume ?? null
  }
  return drift
}

describe('partitions', () => {
  it('a missing month stops nothing: its entries wait in the default partition and are moved', async () => {
    await ingest(keys(30).map((key) => old(key, 400 + key * 3)))
    expect(await count('tollgate.usage_events_default')).toBe(30)
    const [result] = await rpc('ensure_usage_partitions', {})
    expect(result?.created).toBeGreaterThanOrEqual(3)
    expect(result?.moved).toBe('30')
    expect(await count('tollgate.usage_events_default')).toBe(0)
    expect(await count('tollgate.usage_events')).toBe(30)
    expect(await rpc('ensure_usage_partitions', {})).toEqual([{ created: 0, moved: '0' }])
    expect(await findDrift()).toEqual([])
  })

  it('are made while others write into those very months', async () => {
    const rounds = keys(12).map((round) => 700 + round * 31)
    const writers = keys(3).map(async (writer) => {
      for (const [round, daysAgo] of rounds.entries()) {
        await ingest(keys(10).map((key) => old(10_000 + writer * 1_000 + round * 10 + key, daysAgo)))
      }
    })
    const keeper = (async () => {
      for (const _ of rounds) await rpc('ensure_usage_partitions', {})
    })()
    await Promise.all([...writers, keeper])
    expect(await count('tollgate.usage_events')).toBe(360)
    await rpc('ensure_usage_partitions', {})
    expect(await count('tollgate.usage_events_default')).toBe(0)
  })
})

describe('sealing', () => {
  const sums = async () =>
    (
      await admin.query(`select (select sum(total_tokens)::text from tollgate.day_entries) as entries,
        (select sum(tokens_used)::text from public.usage_metrics) as days, (select sum(total_tokens)::text from public.chat_sessions) as sessions,
        (select sum(used_tokens)::text from tollgate.period_totals) as periods, (select coalesce(sum(cost_usd), 0)::text from tollgate.day_entries) as cost`)
    ).rows[0]

  async function sealAll(retention_days: number): Promise<string[]> {
    const sealed: string[] = []
    for (;;) {
      const [month] = await rpc('seal_usage_partition', { retention_days })
      if (!month) return sealed
      sealed.push(month.partition)
    }
  }

  it('drops old months with closing figures, keeps every total, and reconcile still agrees', async () => {
    await ingest([...keys(40).map((key) => old(key, 300 + key * 2)), ...keys(10).map((key) => old(100 + key, key))])
    await rpc('ensure_usage_partitions', {})
    const before = await sums()
    const sealed = await sealAll(200)
    expect(sealed.length).toBeGreaterThanOrEqual(3)
    expect(sealed).toEqual(sealed.toSorted())
    expect(await count('tollgate.usage_events')).toBe(10)
    expect(await count(`pg_class where relname = '${sealed[0]}'`)).toBe(0)
    expect(await sums()).toEqual(before)
    expect(await findDrift()).toEqual([])
  })

  it('leaves a closed period its statement, line by line, whether it is sealed before, amid or after', async () => {
    const organization_id = eventOf(0, now).organization_id
    const line = { provider: 'openai', organization_id }
    await ingest(keys(60).map((key) => ({ ...old(key, 300 + (key % 3) * 31), ...line })))
    await rpc('ensure_usage_partitions', {})
    const { rows: periods } = await admin.query<{ start: string }>(
      'select period_start::text as start from tollgate.period_totals order by 1',
    )
    expect(periods.length).toBeGreaterThanOrEqual(3)
    const close = async (period: { start: string } | undefined) => {
      const request = { organization_id, at: period?.start, closed_by: 'test' }
      expect((await admin.query('select outcome from public.close_period($1)', [request])).rows).toEqual([
        { outcome: 'closed' },
      ])
    }
    const complete = () => admin.query('select public.complete_statements($1)', [organization_id])
    const expected = (
      await admin.query(`select e.period_start::text as start, e.model, sum(e.total_tokens)::text as total_tokens,
        sum(e.input_tokens)::text as input_tokens, coalesce(sum(e.cost_usd), 0)::float as cost,
        sum(e.event_count)::text as event_count, sum(e.unpriced_events)::text as unpriced_events
        from tollgate.usage_events e group by 1, 2 order by 1, 2`)
    ).rows
    await close(periods[0])
    await complete()
    await close(periods[1]) // its lines are written when its month is gone
    await sealAll(200)
    expect(await count('tollgate.usage_events')).toBe(0)
    for (const period of periods.slice(2)) await close(period)
    await complete()
    const { rows } = await admin.query(`select s.period_start::text as start, l.model, l.total_tokens, l.input_tokens,
        l.cost_usd::float as cost, l.event_count, l.unpriced_events
      from tollgate.period_statements s cross join lateral jsonb_to_recordset(s.lines) as l (model text,
        total_tokens text, input_tokens text, cost_usd text, event_count text, unpriced_events text) order by 1, 2`)
    expect(rows).toEqual(expected)
    const { rows: sums } = await admin.query(`select s.used_tokens = sum((l ->> 'total_tokens')::bigint)
        and s.cost_usd = sum((l ->> 'cost_usd')::numeric) and s.charge_usd = sum((l ->> 'charge_usd')::numeric) as adds_up
      from tollgate.period_statements s cross join lateral jsonb_array_elements(s.lines) l
      group by s.organization_id, s.period_start`)
    expect(sums.every((row) => row.adds_up)).toBe(true)
    expect(await findDrift()).toEqual([])
  })

  it('still proves a sealed day: a drift there is found', async () => {
    await ingest(keys(10).map((key) => old(key, 300)))
    await rpc('ensure_usage_partitions', {})
    await sealAll(200)
    await admin.query(`update public.usage_metrics set tokens_used = tokens_used + 1
      where ctid = (select ctid from public.usage_metrics limit 1)`)
    expect(await findDrift()).toMatchObject([{ rollup: 'usage_metrics', tokens_off: '-1' }])
  })

  it('takes usage of a sealed month, and seals it once more without losing the first figures', async () => {
    await ingest(keys(10).map((key) => old(key, 300)))
    await rpc('ensure_usage_partitions', {})
    await sealAll(200)
    await ingest(keys(10).map((key) => old(500 + key, 300)))
    await rpc('ensure_usage_partitions', {})
    const before = await sums()
    expect(await sealAll(200)).toHaveLength(1)
    expect(await sums()).toEqual(before)
    expect(await findDrift()).toEqual([])
  })

  it('refuses a correction of a sealed month with the reason, and applies its neighbours', async () => {
    await ingest([old(1, 300), old(2, 1)])
    await rpc('ensure_usage_partitions', {})
    await sealAll(200)
    const events = [correctionOf(1, 1, now), correctionOf(1, 2, now), correctionOf(2, 1, now), correctionOf(2, 1, now)]
    const [result] = await ingest(events)
    const sealed = { outcome: 'rejected', reason: 'month_sealed' }
    expect(result?.outcomes).toEqual([
      { i: 0, ...sealed },
      { i: 1, ...sealed },
      { i: 3, outcome: 'duplicate', conflict: false },
    ])
    await admin.query('select public.park_events($1)', [{ events: events.slice(0, 1) }])
    expect(await rpc('drain_inbox', { max_rows: 10 })).toMatchObject([{ drained: 1, recorded: 0, buried: 1 }])
    const { rows } = await admin.query(`select reason, payload::jsonb ->> 'id' as id from tollgate.dead_letters`)
    expect(rows).toEqual([{ reason: 'month_sealed', id: events[0]?.id }])
    expect(await findDrift()).toEqual([])
  })

  it('never touches what corrections may still reach, whatever the setting says', async () => {
    await ingest(keys(5).map((key) => old(key, 100)))
    await rpc('ensure_usage_partitions', {})
    expect(await sealAll(1)).toEqual([])
  })
})

describe('identities', () => {
  it('are forgotten by age, never before 90 days, never those of an import', async () => {
    await ingest(keys(30).map((key) => old(key, 1)))
    await admin.query(`update tollgate.usage_event_identities i set seen_at = now() - (n * interval '10 days'), imported = n % 2 = 0
      from (select digest, row_number() over (order by digest) as n from tollgate.usage_event_identities) o where o.digest = i.digest`)
    expect(await rpc('prune_identities', { retention_days: 1, max_rows: 4 })).toEqual([{ pruned: 4 }])
    expect(await rpc('prune_identities', { retention_days: 1, max_rows: 1_000 })).toEqual([{ pruned: 7 }])
    // 4 younger than 90 days that are odd (10, 30, 50, 70) and all 15 even ones.
    expect(await count('tollgate.usage_event_identities')).toBe(19)
  })

  it('take corrections with them that have waited as long for an original', async () => {
    await admin.query(`insert into tollgate.pending_corrections (organization_id, digest, revision, input_tokens,
        output_tokens, cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, received_at)
      select gen_random_uuid(), int8send(age), 1, 1, 1, 0, 0, 0, 2, now() - age * interval '1 day'
      from unnest(array[1, 89, 91, 400]) age`)
    await rpc('prune_identities', { retention_days: 1, max_rows: 1 })
    expect(await count('tollgate.pending_corrections')).toBe(3)
    await rpc('prune_identities', { retention_days: 1, max_rows: 1_000 })
    expect(await count('tollgate.pending_corrections')).toBe(2)
  })
})
