import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'

// The migrations as a project of one's own gets them: applied by the Supabase CLI, not by @supabase/lite.
const root = join(import.meta.dirname, '../../..')
const databases: TestDatabase[] = []
const clients: pg.Client[] = []

async function connect(database: TestDatabase): Promise<pg.Client> {
  databases.push(database)
  const client = new pg.Client(database.databaseUrl)
  await client.connect()
  clients.push(client)
  return client
}

/** A database as a Supabase project hands it over: its roles and default privileges, and what we use of `auth`. */
async function createHosted(): Promise<{ database: TestDatabase; client: pg.Client }> {
  const database = await createEmptyDatabase()
  const client = await connect(database)
  await client.query(await readFile(join(root, 'infra/local-stack/src/hosted-defaults.sql'), 'utf8'))
  await client.query(`
    create table auth.users (id uuid primary key, email text);
    create function auth.uid() returns uuid language sql stable
      as $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$`)
  return { database, client }
}

async function push({ databaseUrl }: TestDatabase): Promise<void> {
  const supabase = join(root, 'node_modules/.bin/supabase')
  const args = ['db', 'push', '--workdir', join(root, 'infra'), '--remote', databaseUrl, '--yes']
  await promisify(execFile)(supabase, args, { env: { ...process.env, DO_NOT_TRACK: '1' } })
}

/** Tables with columns, policies and rights, functions with rights: all that the services and RLS rest on. */
async function readShape(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(`
    select format('column %s.%s %s %s', c.table_schema, c.table_name, c.column_name, c.data_type) as line
    from information_schema.columns c where c.table_schema in ('public', 'tollgate')
    union all
    select format('policy %s.%s %s %s %s %s %s', schemaname, tablename, policyname, roles, cmd, qual, with_check)
    from pg_policies where schemaname in ('public', 'tollgate')
    union all
    select format('right %s.%s %s %s', table_schema, table_name, grantee, privilege_type)
    from information_schema.role_table_grants
    where table_schema in ('public', 'tollgate') and grantee <> 'postgres'
    union all
    select format('function %s %s', p.oid::regprocedure, array(
      select r.rolname from aclexplode(p.proacl) a join pg_roles r on r.oid = a.grantee
      where r.rolname <> 'postgres' order by 1))
    from pg_proc p where p.pronamespace in ('public'::regnamespace, 'tollgate'::regnamespace)
    order by 1`)
  return rows.map(({ line }) => line)
}

let hosted: Awaited<ReturnType<typeof createHosted>>
beforeAll(async () => {
  hosted = await createHosted()
  await push(hosted.database)
})

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()))
  await Promise.all(databases.map((database) => database.drop()))
})

it('the Supabase CLI applies the same tables, policies, rights and functions as @supabase/lite', async () => {
  const lite = await connect(await createTestDatabase())
  const shape = await readShape(hosted.client)
  expect(shape.length).toBeGreaterThan(200)
  expect(shape).toEqual(await readShape(lite))
})

it('pushed again, nothing is left to apply', async () => {
  const before = await readShape(hosted.client)
  await push(hosted.database)
  expect(await readShape(hosted.client)).toEqual(before)
})

it('no demo data reaches a project', async () => {
  const { rows } = await hosted.client.query(
    'select (select count(*) from public.organizations) + (select count(*) from public.profiles) + (select count(*) from auth.users) as n',
  )
  expect(rows).toEqual([{ n: '0' }])
})

it('tables of the project itself are left as they are: rows, columns, policies', async () => {
  const { database, client } = await createHosted()
  await client.query(`
    create table public.organizations (id uuid primary key default gen_random_uuid(), name text not null, domain text not null,
      plan_type text not null, librechat_config jsonb, our_own_column text);
    create table public.profiles (id uuid primary key, organization_id uuid, role text, email text, full_name text,
      username text, avatar_url text);
    alter table public.organizations enable row level security;
    create policy our_own_policy on public.organizations for select to authenticated using (true);
    insert into public.organizations (name, domain, plan_type, our_own_column) values ('Ours', 'ours', 'starter', 'kept')`)
  await push(database)
  const { rows } = await client.query('select name, our_own_column from public.organizations')
  expect(rows).toEqual([{ name: 'Ours', our_own_column: 'kept' }])
  const policies = await client.query(
    "select policyname from pg_policies where tablename in ('organizations', 'profiles')",
  )
  expect(policies.rows).toEqual([{ policyname: 'our_own_policy' }])
})
