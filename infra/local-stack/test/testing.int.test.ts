import { createClient } from '@supabase/supabase-js'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  createTestDatabase,
  createTestRedis,
  startTestSupabase,
  type TestDatabase,
  type TestSupabase,
} from '../src/testing/index.ts'

const query = async (url: string, sql: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

describe('a test database', () => {
  it('is a copy of its own: what one test writes, another does not see', async () => {
    const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()])
    await query(one.databaseUrl, 'create table public.only_here (id int)')
    const seen = await query(other.databaseUrl, `select to_regclass('public.only_here') as found`)
    expect(seen).toEqual([{ found: null }])
    await Promise.all([one.drop(), other.drop()])
    const left = await query(
      inject('tollgate').adminUrl,
      `select 1 from pg_database where datname in ('${one.name}', '${other.name}')`,
    )
    expect(left).toEqual([])
  })

  it('lets each service log in as its own role', async () => {
    const database = await createTestDatabase()
    for (const url of Object.values(database.urls)) {
      const [row] = await query(url, 'select current_user as name')
      expect(row?.name).toBe(new URL(url).username)
    }
    await database.drop()
  })
})

describe('a test Redis', () => {
  it('is a numbered database of its own with a prefix for channels', async () => {
    const [one, other] = await Promise.all([createTestRedis(), createTestRedis()])
    expect(one.prefix).not.toBe(other.prefix)
    const [first, second] = [new Redis(one.redisUrl), new Redis(other.redisUrl)]
    await first.set('key', 'value')
    expect(await second.get('key')).toBeNull()
    first.disconnect()
    second.disconnect()
  })
})

describe('the Supabase-compatible API over a test database', () => {
  let database: TestDatabase
  let supabase: TestSupabase

  beforeAll(async () => {
    database = await createTestDatabase()
    await query(
      database.databaseUrl,
      `create table public.notes (id int primary key, owner uuid not null);
       alter table public.notes enable row level security;
       create policy own on public.notes for select to authenticated using (owner = (select auth.uid()));
       revoke all on public.notes from anon, authenticated;
       grant select on public.notes to authenticated;
       create schema hidden;
       create table hidden.keys (id int);
       alter table hidden.keys enable row level security;`,
    )
    supabase = await startTestSupabase(database.databaseUrl)
  })

  afterAll(async () => {
    await supabase?.stop()
    await database?.drop()
  })

  it('signs a user up, and row level security shows the user own rows only', async () => {
    const client = createClient(supabase.url, supabase.publishableKey, { auth: { persistSession: false } })
    const { data, error } = await client.auth.signUp({ email: 'somebody@example.com', password: 'a-long-password' })
    expect(error).toBeNull()
    await query(database.databaseUrl, `insert into public.notes values (1, '${data.user?.id}'), (2, gen_random_uuid())`)
    expect((await client.from('notes').select('id')).data).toEqual([{ id: 1 }])
    expect((await client.from('notes').insert({ id: 3, owner: data.user?.id })).error?.code).toBe('42501')
  })

  it('keeps what the migrations revoked: lite does not open tables or schemas to anon', async () => {
    const anon = createClient(supabase.url, supabase.publishableKey, { auth: { persistSession: false } })
    expect((await anon.from('notes').select('id')).error?.code).toBe('42501')
    const [row] = await query(
      database.databaseUrl,
      `select has_table_privilege('anon', 'public.notes', 'select') as table, has_schema_privilege('anon', 'hidden', 'usage') as schema,
              has_table_privilege('authenticated', 'hidden.keys', 'select') as hidden`,
    )
    expect(row).toEqual({ table: false, schema: false, hidden: false })
  })
})
