import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { createMetrics } from '@tollgate/shared/metrics'
import { type BooksDrift, createPgRpc, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineBooksMetrics } from '../src/books-metrics.ts'
import { keepReconciled } from '../src/keep-reconciled.ts'
import { retainOnce } from '../src/keep-retention.ts'

const DAY_MS = 86_400_000
let database: TestDatabase
let admin: pg.Client
let store: RpcStore
const metrics = defineBooksMetrics(createMetrics({ service: 'test' }))

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  store = createPgRpc({
    connectionString: database.urls['usage-worker'],
    max: 2,
    applicationName: 'test',
    statementTimeoutMs: 30_000,
    onError: () => undefined,
  })
})
afterAll(async () => {
  await store.close()
  await admin.end()
  await database.drop()
})

const usage = (id: number, daysAgo: number) => ({
  type: 'usage.recorded',
  organization_id: '00000000-0000-4000-8000-000000000001',
  source: 's',
  id: String(id),
  time: new Date(Date.now() - daysAgo * DAY_MS).toISOString(),
  received_at: new Date().toISOString(),
  member: true,
  imported: true,
  user_id: '00000000-0000-4000-8000-0000000000a1',
  session_id: 'c',
  model: 'gpt-4o',
  input_tokens: 10,
  output_tokens: 1,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
  reasoning_output_tokens: 0,
  message_count: 1,
})
const ingest = (events: object[]) => store.rpc('ingest_usage', { batch: { events } })
const gauge = async (rollup: string) =>
  (await metrics.drift.get()).values.find(({ labels }) => labels.rollup === rollup)?.value

describe('the books are kept', () => {
  it('a drift of one LLM token is found, put right and shown as a metric', async () => {
    await ingest([0, 1, 20, 100].map((daysAgo, id) => usage(id, daysAgo)))
    const stop = new AbortController()
    const found: BooksDrift[] = []
    const errors: unknown[] = []
    const kept = keepReconciled({
      rpc: store.rpc,
      metrics,
      repair: true,
      intervalMs: 500,
      onDrift: (drift) => found.push(...drift),
      onError: (error) => errors.push(error),
      now: Date.now,
      stopping: stop.signal,
    })
    const lastPass = async () => (await metrics.lastPassSeconds.get()).values[0]?.value ?? 0
    await expect.poll(lastPass, { timeout: 30_000 }).toBeGreaterThan(0)
    expect(found).toEqual([])
    expect(await gauge('usage_metrics')).toBe(0)
    await admin.query(`update public.usage_metrics set tokens_used = tokens_used + 1
      where date = (select min(date) from public.usage_metrics)`)
    await expect.poll(() => found.length, { timeout: 60_000 }).toBe(1)
    expect(found[0]).toMatchObject({ rollup: 'usage_metrics', tokens_off: '-1' })
    const total = 'select sum(tokens_used)::int as tokens from public.usage_metrics'
    expect((await admin.query(total)).rows).toEqual([{ tokens: 44 }])
    // A pass that finds nothing any more takes the alarm back.
    await expect.poll(() => gauge('usage_metrics'), { timeout: 30_000 }).toBe(0)
    stop.abort()
    await kept
    expect(errors).toEqual([])
  })

  it('all other days are looked at, too, when the recent ones take longer than a round', async () => {
    const stop = new AbortController()
    metrics.lastPassSeconds.set(0)
    const kept = keepReconciled({
      rpc: store.rpc,
      metrics,
      repair: false,
      intervalMs: 1,
      onDrift: () => undefined,
      onError: () => undefined,
      now: Date.now,
      stopping: stop.signal,
    })
    const lastPass = async () => (await metrics.lastPassSeconds.get()).values[0]?.value ?? 0
    await expect.poll(lastPass, { timeout: 30_000 }).toBeGreaterThan(0)
    stop.abort()
    await kept
  })

  it('months past retention are sealed and dropped, and counted', async () => {
    await ingest([300, 400].map((daysAgo, id) => usage(100 + id, daysAgo)))
    await store.rpc('ensure_usage_partitions', {})
    const sealed: string[] = []
    await retainOnce({
      rpc: store.rpc,
      metrics,
      retention: { ledgerDays: 200, identityDays: 100 },
      onSealed: ({ partition }) => sealed.push(partition),
      onError: () => undefined,
      stopping: new AbortController().signal,
    })
    expect(sealed).toHaveLength(2)
    expect((await metrics.sealedPartitions.get()).values[0]?.value).toBe(2)
    const { rows } = await admin.query(`select (select count(*)::int from tollgate.usage_events) as entries,
      (select count(*)::int from tollgate.sealed_days) as sealed,
      (select count(*)::int from tollgate.audit_log where action = 'ledger.sealed') as audited`)
    expect(rows).toEqual([{ entries: 4, sealed: 2, audited: 2 }])
  })
})
