import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
// By its path: a dependency on the package would make a cycle, since local-stack stands on shared.
import {
  createTestDatabase,
  startTestSupabase,
  type TestDatabase,
} from '../../../infra/local-stack/src/testing/index.ts'
import { createPgRpc, createSupabaseRpc, type RpcStore, withRetry } from '../src/store/index.ts'

type AnyRpc = (fn: string, args: object) => Promise<Record<string, unknown>[]>

// @supabase/lite 0.10 encodes an object for a jsonb parameter twice: it arrives as a jsonb string, hence the `case`.
const FUNCTIONS = `
  create function public.test_echo(batch jsonb, ids text[], n bigint default 7)
    returns table (batch jsonb, ids text[], n text, at timestamptz, day date, nothing text) language sql as
    $$ select case jsonb_typeof(batch) when 'string' then (batch #>> '{}')::jsonb else batch end, ids, n::text, timestamptz '2026-11-23 10:00:00.5+00', date '2026-11-23', null::text $$;
  create function public.test_fail(state text) returns table (ok boolean) language plpgsql as
    $$ begin raise exception 'asked for' using errcode = state; end $$;
  create function public.test_empty() returns table (ok boolean) language sql as $$ select true where false $$;
  create function public.test_sleep(seconds float) returns table (ok boolean) language plpgsql as
    $$ begin perform pg_sleep(seconds); return query select true; end $$;
  grant execute on all functions in schema public to service_role, anon, authenticated;
`

let database: TestDatabase
const stores = new Map<string, RpcStore>()
const toClose: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  toClose.push(() => database.drop())
  const admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  await admin.query(FUNCTIONS)
  await admin.end()
  const supabase = await startTestSupabase(database.databaseUrl)
  toClose.push(() => supabase.stop())
  stores.set('supabase', createSupabaseRpc({ url: supabase.url, secretKey: supabase.secretKey, timeoutMs: 1_000 }))
  stores.set('pg', openPg())
})
afterAll(async () => {
  for (const store of stores.values()) await store.close()
  for (const close of toClose.reverse()) await close()
})

function openPg(options: { connectionString?: string; role?: string; statementTimeoutMs?: number } = {}): RpcStore {
  const timeouts = { statementTimeoutMs: 1_000, connectTimeoutMs: 1_000 }
  const base = { connectionString: database.databaseUrl, max: 2, applicationName: 'store-test', ...timeouts }
  return createPgRpc({ ...base, onError: () => undefined, ...options })
}

// The functions of this test are not in the catalog.
function anyRpc(store: RpcStore | undefined): AnyRpc {
  return store?.rpc as unknown as AnyRpc
}

describe.each(['pg', 'supabase'])('Rpc over %s', (transport) => {
  const rpc: AnyRpc = (fn, args) => anyRpc(stores.get(transport))(fn, args)

  test('answers a ping', async () => {
    const rows = await rpc('tollgate_ping', {})
    expect(rows).toMatchObject([{ ok: true }])
    expect(Math.abs(Date.parse(String(rows[0]?.now)) - Date.now())).toBeLessThan(60_000)
  })

  test('hands objects, arrays and numbers over, and gives the same row', async () => {
    const batch = { events: [{ name: "O'Hara; drop table x", emoji: '🚦', n: 1 }] }
    const [row] = await rpc('test_echo', { batch, ids: ['a,b', 'c"d'], n: 9_007_199_254_740_993n })
    expect(row).toEqual({
      batch,
      ids: ['a,b', 'c"d'],
      n: '9007199254740993',
      at: '2026-11-23T10:00:00.5+00:00',
      day: '2026-11-23',
      nothing: null,
    })
  })

  test('leaves undefined arguments to their defaults; no rows are an empty list', async () => {
    expect(await rpc('test_echo', { batch: {}, ids: [], n: undefined })).toMatchObject([{ n: '7', ids: [] }])
    expect(await rpc('test_empty', {})).toEqual([])
  })

  test.each([
    ['23505', 'conflict', false],
    ['22023', 'invalid', false],
    ['42501', 'denied', false],
  ])('SQLSTATE %s is %s, retryable %s', async (state, code, retryable) => {
    await expect(rpc('test_fail', { state })).rejects.toMatchObject({
      name: 'StoreError',
      code,
      retryable,
      sqlState: state,
    })
  })

  // @supabase/lite hides these codes behind an HTTP 500 of its own; what matters is that the call is tried again.
  test.each(['40P01', '40001', '57P01', '55P03'])('SQLSTATE %s is tried again', async (state) => {
    await expect(rpc('test_fail', { state })).rejects.toMatchObject({ name: 'StoreError', retryable: true })
  })

  test('an unknown function is our own fault and not tried again', async () => {
    await expect(rpc('test_missing', {})).rejects.toMatchObject({ code: 'internal', retryable: false })
  })

  test('a call that takes too long is given up and may be repeated', async () => {
    await expect(rpc('test_sleep', { seconds: 5 })).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    expect(await rpc('tollgate_ping', {})).toHaveLength(1)
  })
})

describe('pg', () => {
  test('a terminated connection is healed by a retry', async () => {
    // Asleep for longer than it takes to be found, however slow the machine is.
    const store = openPg({ statementTimeoutMs: 60_000 })
    toClose.push(() => store.close())
    const rpc = anyRpc(store)
    const asleep = rpc('test_sleep', { seconds: 30 }).then(
      () => 'survived',
      (error: unknown) => error,
    )
    const admin = new pg.Client(database.databaseUrl)
    await admin.connect()
    // Only this call, and not what the tests before have left behind.
    const terminate = `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'store-test' and state = 'active' and query like '%test_sleep%'`
    await expect.poll(async () => (await admin.query(terminate)).rowCount, { timeout: 20_000 }).toBeGreaterThan(0)
    await admin.end()
    expect(await asleep).toMatchObject({ code: 'unavailable', retryable: true })
    expect(await withRetry(() => rpc('tollgate_ping', {}), { attempts: 5, baseMs: 20, maxMs: 100 })).toHaveLength(1)
  })

  test('a server that is away is unavailable', async () => {
    const store = openPg({ connectionString: 'postgres://nobody@127.0.0.1:1/none' })
    await expect(store.rpc('tollgate_ping', {})).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await store.close()
  })

  test('calls run as the given role', async () => {
    const store = openPg({ role: 'anon' })
    const admin = new pg.Client(database.databaseUrl)
    await admin.connect()
    await admin.query(`create function public.test_whoami() returns table (who text) language sql as 'select current_user::text';
      grant execute on function public.test_whoami() to anon`)
    await admin.end()
    expect(await anyRpc(store)('test_whoami', {})).toEqual([{ who: 'anon' }])
    await store.close()
  })
})

test('an HTTP API that is away is unavailable', async () => {
  const store = createSupabaseRpc({ url: 'http://127.0.0.1:1', secretKey: 'sb_secret_x', timeoutMs: 1_000 })
  await expect(store.rpc('tollgate_ping', {})).rejects.toMatchObject({ code: 'unavailable', retryable: true })
  await store.close()
})
