import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { type BooksDrift, type BooksScan, createPgRpc, type RpcRow, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { eventOf, ORGANIZATIONS } from './usage-fixture.ts'

// Chat sessions that live for weeks, proved in small slices.
const now = Date.now()
const [organization_id] = ORGANIZATIONS
const user_id = '00000000-0000-4000-8000-0000000000a1'
let database: TestDatabase
let admin: pg.Client
let store: RpcStore

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  const use = { max: 2, applicationName: 'test', statementTimeoutMs: 30_000, onError: () => undefined }
  store = createPgRpc({ connectionString: database.urls['usage-worker'], ...use })
})
afterAll(async () => {
  await store.close()
  await admin.end()
  await database.drop()
})
beforeEach(async () => {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals`)
})

const at = (daysAgo: number) => new Date(now - daysAgo * 86_400_000).toISOString()
const ingest = (events: object[]) => store.rpc('ingest_usage', { batch: { events } })
/** One message a day for a month, all of one session. */
const alive = Array.from({ length: 30 }, (_, key) => ({
  ...eventOf(key, now),
  ...{ organization_id, user_id, session_id: 's', time: at(key) },
}))

/** A pass of calls as short as can be; `between` is called with what each hands on. */
async function pass(repair: boolean, between: (scan: BooksScan) => unknown = () => undefined): Promise<BooksDrift[]> {
  const drift: BooksDrift[] = []
  let scan: BooksScan | null = { repair, budget_ms: 0 }
  while (scan !== null) {
    const [step]: RpcRow<'reconcile_books'>[] = await store.rpc('reconcile_books', { scan })
    drift.push(...(step?.drift ?? []))
    scan = step?.resume ?? null
    if (scan !== null) await between(scan)
  }
  return drift
}

it('a call reads a window of the ledger, however long a session lives, and the last token is proved all the same', async () => {
  await ingest(alive)
  const windows: string[] = []
  const note = (scan: BooksScan) => scan.carried && windows.push(String(scan.at).split('>')[1] ?? '')
  expect(await pass(false, note)).toEqual([])
  expect(windows.length).toBeGreaterThanOrEqual(3)
  expect(windows).toEqual([...new Set(windows)].sort())
  await admin.query('update public.chat_sessions set total_tokens = total_tokens + 1')
  expect(await pass(false)).toMatchObject([{ rollup: 'chat_sessions', tokens_off: '-1', at: at(29).slice(0, 10) }])
  expect(await pass(true)).toHaveLength(1)
  expect(await pass(false)).toEqual([])
})

it('what a correction changes between two windows is no drift', async () => {
  await ingest(alive)
  const first = alive.at(-1) ?? expect.fail()
  const about = { type: 'usage.corrected', id: 'c', corrects: { source: first.source, id: first.id }, revision: 1 }
  let corrections = 0
  const correct = async (scan: BooksScan) => {
    if (!scan.carried || corrections > 0) return
    corrections += 1
    await ingest([{ ...first, ...about, input_tokens: first.input_tokens + 1_000 }])
  }
  expect(await pass(true, correct)).toEqual([])
  expect(corrections).toBe(1)
  expect(await pass(false)).toEqual([])
})
