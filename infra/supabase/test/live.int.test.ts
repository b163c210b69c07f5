import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { createLiveNotices, createPgRpc, type Rpc, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'

// Supabase Realtime is the project's: this stands in for its schema, with the columns and functions that Supabase documents.
const REALTIME = `
  create schema realtime;
  create table realtime.messages (topic text not null, extension text not null, payload jsonb, event text,
    private boolean default false, inserted_at timestamp not null default now(), id uuid not null default gen_random_uuid());
  alter table realtime.messages enable row level security;
  create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
    language plpgsql as $$ begin insert into realtime.messages (payload, event, topic, private, extension)
      values (payload, event, topic, private, 'broadcast'); end $$;
  create function realtime.topic() returns text language sql stable
    as $$ select nullif(current_setting('realtime.topic', true), '')::text $$;
  grant usage on schema realtime to authenticated;
  grant select on realtime.messages to authenticated;`
const [A, B, C] = ['a', 'b', 'c'].map((end) => `00000000-0000-4000-8000-00000000000${end}`) as [string, string, string]

let database: TestDatabase
let sql: pg.Client
let store: RpcStore
let rpc: Rpc

beforeAll(async () => {
  database = await createTestDatabase()
  sql = new pg.Client(database.databaseUrl)
  await sql.connect()
  const use = { max: 4, applicationName: 'test', statementTimeoutMs: 30_000, onError: () => undefined }
  store = createPgRpc({ connectionString: database.urls['usage-worker'], ...use })
  rpc = store.rpc
})
afterAll(async () => {
  await store?.close()
  await sql?.end()
  await database?.drop()
})

const broadcast = (...organizations: string[]) => rpc('broadcast_changes', { changed: { organizations } })
const messages = async (topic = '%') =>
  (await sql.query('select topic, event, payload, private from realtime.messages where topic like $1', [topic])).rows

it('without Realtime nothing is sent and nobody is asked again for minutes', async () => {
  expect(await broadcast(A)).toEqual([{ offered: false, waiting: [] }])
  let asked = 0
  const live = createLiveNotices({
    rpc: (fn, args) => {
      asked++
      return rpc(fn, args)
    },
    monotonicNow: () => performance.now(),
    onError: (error) => expect.fail(String(error)),
  })
  live.tell([A])
  await expect.poll(() => asked).toBe(1)
  await live.stop()
  live.tell([A])
  expect(asked).toBe(1)
})

it('a private message says which organization and nothing else, once a second however many tell', async () => {
  await sql.query(REALTIME)
  expect(await broadcast(A, B, A)).toEqual([{ offered: true, waiting: [] }])
  expect(await messages()).toEqual([
    { topic: `tollgate:${A}`, event: 'changed', payload: { organization_id: A }, private: true },
    { topic: `tollgate:${B}`, event: 'changed', payload: { organization_id: B }, private: true },
  ])
  const answers = await Promise.all(Array.from({ length: 8 }, () => broadcast(C, A)))
  // A second may have passed for A on a slow machine; C is new, and one of eight told it.
  expect(await messages(`tollgate:${C}`)).toHaveLength(1)
  expect(answers.filter(([answer]) => answer?.waiting.includes(C))).toHaveLength(7)
})

it('what came within the second is told after it, and not lost', async () => {
  const monotonicNow = () => performance.now()
  const live = createLiveNotices({ rpc, monotonicNow, onError: (error) => expect.fail(String(error)) })
  await sql.query('truncate realtime.messages')
  await sql.query('update tollgate.live_marks set sent_at = clock_timestamp()')
  live.tell([B])
  await expect.poll(() => messages(`tollgate:${B}`), { timeout: 10_000 }).toHaveLength(1)
  await live.stop()
})

it('the policy of docs/reports.md lets members and super_admin listen, and nobody else', async () => {
  const docs = readFileSync(join(import.meta.dirname, '../../../docs/reports.md'), 'utf8')
  const [policy] =
    /create policy[^;]+realtime\.messages[^;]+;/.exec(docs) ?? expect.fail('docs/reports.md has no policy')
  await sql.query(policy)
  await sql.query(`insert into public.organizations (id, name, domain) values ($1, 'A', 'a'), ($2, 'B', 'b')`, [A, B])
  await sql.query('set session_replication_role = replica') // accounts of auth.users are another system's
  const people = { user: [A, 'user'], admin: [A, 'admin'], stranger: [B, 'admin'], staff: [B, 'super_admin'] } as const
  const ids = Object.keys(people).map((_, n) => `00000000-0000-4000-8000-0000000000a${n}`)
  for (const [n, [organization, role]] of Object.values(people).entries()) {
    const values = [ids[n], organization, role, `${n}@example.com`]
    await sql.query('insert into public.profiles (id, organization_id, role, email) values ($1, $2, $3, $4)', values)
  }
  await sql.query('set session_replication_role = origin')
  await sql.query('truncate realtime.messages, tollgate.live_marks')
  await broadcast(A)
  const hears = async (id: string | undefined, topic: string): Promise<boolean> => {
    await sql.query('begin')
    await sql.query(
      `select set_config('request.jwt.claims', $1, true), set_config('request.jwt.claim.sub', $2, true),
         set_config('realtime.topic', $3, true)`,
      [JSON.stringify({ sub: id, role: 'authenticated' }), id, topic],
    )
    await sql.query('set local role authenticated')
    const { rowCount } = await sql.query('select from realtime.messages')
    await sql.query('rollback')
    return rowCount === 1
  }
  const heard = []
  for (const id of ids) heard.push(await hears(id, `tollgate:${A}`))
  expect(heard).toEqual([true, true, false, true])
  expect(await hears(ids[0], 'tollgate:everything')).toBe(false)
  expect(await hears(ids[3], 'somebody-elses-topic')).toBe(false)
})
