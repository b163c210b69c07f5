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

const [ORGANIZATION, ADA, BOB, OTHER] = [1, 2, 3, 4].map((n) => `00000000-0000-4000-8000-00000000000${n}`)
/** What such a project counted by hand: a row a region and day, keys and times of its own, foreign keys that cascade, loose policies. */
const COUNTED_BY_HAND = `
  insert into auth.users values ('${ADA}', 'ada@example.com'), ('${BOB}', 'bob@example.com');
  create table public.organizations (id uuid primary key, name text not null, domain text not null, plan_type text, librechat_config jsonb);
  create table public.profiles (id uuid primary key references auth.users (id) on delete cascade, organization_id uuid,
    role text, email text, full_name text, username text, avatar_url text);
  insert into public.organizations values ('${ORGANIZATION}', 'Ours', 'ours', 'starter', '{}');
  insert into public.profiles (id, organization_id, role) values ('${ADA}', '${ORGANIZATION}', 'user'), ('${BOB}', '${ORGANIZATION}', 'user');
  create table public.usage_metrics (id uuid primary key, organization_id uuid references public.organizations (id) on delete cascade,
    user_id uuid not null references auth.users (id) on delete cascade, date date default current_date, tokens_used integer,
    cost_usd decimal(10,4) default 0, message_count integer, region text not null, unique (user_id, date, region));
  create unique index one_a_day on public.usage_metrics (user_id, date) include (organization_id) where region is null;
  create table public.chat_sessions (id serial primary key, user_id uuid references auth.users (id) on delete cascade,
    organization_id uuid references public.organizations (id), librechat_session_id varchar(255) not null unique, model_used text,
    session_metadata jsonb, status text not null default 'open', created_at timestamp default now(), ended_at timestamp);
  alter table public.usage_metrics enable row level security;
  create policy everybody on public.usage_metrics for all to authenticated using (true) with check (true);
  create view public.our_report as select organization_id, count(*) as rows from public.usage_metrics group by 1;
  insert into public.usage_metrics values
    (gen_random_uuid(), '${ORGANIZATION}', '${ADA}', current_date - 40, 500, 1.25, 3, 'eu'),
    (gen_random_uuid(), '${ORGANIZATION}', '${ADA}', current_date - 40, 200, 0.5, 1, 'us'),
    (gen_random_uuid(), '${ORGANIZATION}', '${BOB}', current_date - 1, 70, null, null, 'eu'),
    (gen_random_uuid(), '${ORGANIZATION}', '${BOB}', current_date, null, 0, 0, 'eu');
  insert into public.chat_sessions (user_id, organization_id, librechat_session_id, model_used, session_metadata, created_at, ended_at)
  values ('${ADA}', '${ORGANIZATION}', 'old', 'gpt-4o', '{"messages": 10, "tokens": 500, "title": "kept"}', now() - interval '40 days', null),
    ('${BOB}', '${ORGANIZATION}', 'done', null, null, now() - interval '9 days', now() - interval '8 days')`

async function reconcileAll(client: pg.Client): Promise<unknown[]> {
  const drift: unknown[] = []
  let scan: object | null = { repair: true, budget_ms: 1_000 }
  while (scan !== null) {
    const step: pg.QueryResult<{ resume: object | null; drift: unknown[] }> = await client.query(
      'select * from public.reconcile_books($1)',
      [scan],
    )
    drift.push(...(step.rows[0]?.drift ?? []))
    scan = step.rows[0]?.resume ?? null
  }
  return drift
}

it('a project that counted in usage_metrics and chat_sessions keeps its rows, and goes on from them', async () => {
  const { database, client } = await createHosted()
  await client.query(COUNTED_BY_HAND)
  await push(database)
  const days = `select user_id, date = current_date as is_today, tokens_used::int as tokens, cost_usd::float as cost,
    message_count::int as messages from public.usage_metrics order by date, user_id`
  const before = [
    { user_id: ADA, is_today: false, tokens: 700, cost: 1.75, messages: 4 },
    { user_id: BOB, is_today: false, tokens: 70, cost: 0, messages: 0 },
    { user_id: BOB, is_today: true, tokens: 0, cost: 0, messages: 0 },
  ]
  expect((await client.query(days)).rows).toEqual(before)
  const now = new Date().toISOString()
  const counts = { input_tokens: 10, output_tokens: 1, message_count: 1 }
  const none = { cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_output_tokens: 0 }
  const where = { organization_id: ORGANIZATION, user_id: ADA, session_id: 'old', model: 'gpt-4o' }
  const event = {
    type: 'usage.recorded',
    source: 's',
    id: '1',
    time: now,
    received_at: now,
    ...where,
    ...counts,
    ...none,
  }
  await client.query('select public.ingest_usage($1)', [{ events: [event] }])
  expect(await reconcileAll(client)).toEqual([])
  expect(await reconcileAll(client)).toEqual([])
  const { rows } = await client.query(`select
    (select sum(total_tokens)::int from tollgate.usage_events) as ledger, (select sum(tokens_used)::int from public.usage_metrics) as days,
    (select sum(used_tokens)::int from tollgate.period_totals) as periods,
    (select count(*)::int from tollgate.usage_events where entry = 'opening_balance') as balances`)
  expect(rows).toEqual([{ ledger: 781, days: 781, periods: 781, balances: 2 }])
  const sessions = await client.query(`select librechat_session_id as id, total_tokens::int as tokens, status,
    session_metadata as metadata from public.chat_sessions order by 1 desc`)
  expect(sessions.rows).toEqual([
    { id: 'old', tokens: 511, status: 'active', metadata: { messages: 11, tokens: 511, title: 'kept' } },
    { id: 'done', tokens: 0, status: 'ended', metadata: { messages: 0, tokens: 0 } },
  ])
  expect((await client.query('select policyname from pg_policies where policyname = $1', ['everybody'])).rows).toEqual(
    [],
  )
  // Times without a zone are UTC.
  const { rows: times } = await client.query(`select started_at = created_at at time zone 'UTC' as began,
    ended_at is not distinct from ended_at_before at time zone 'UTC' as ended from public.chat_sessions`)
  expect(times).toEqual([1, 2].map(() => ({ began: true, ended: true })))
  // The project's keys held one row a user and day, and one a session: of all tenants.
  const other = { ...event, organization_id: OTHER, id: '2', member: true }
  await client.query('select public.ingest_usage($1)', [{ events: [other, { ...other, id: '3', user_id: BOB }] }])
  expect(
    (await client.query('select from public.chat_sessions where librechat_session_id = $1', ['old'])).rowCount,
  ).toBe(3)
  await client.query('delete from auth.users')
  expect((await client.query(days)).rows).toHaveLength(6)
})

const METRICS = 'public.usage_metrics'
const unfit = [
  {
    what: 'rows that belong to nobody',
    fault: `alter table ${METRICS} alter user_id drop not null; update ${METRICS} set user_id = null`,
    says: /4 rows have no organization_id, user_id, date/,
  },
  {
    what: 'amounts that its column would round',
    fault: `alter table ${METRICS} alter tokens_used type numeric; update ${METRICS} set tokens_used = 0.5 where region = 'us'`,
    says: /1 rows have a tokens_used that is no bigint/,
  },
  {
    what: 'instants that its column would cut to days',
    fault: `alter table ${METRICS} alter date type timestamp using date + time '15:00'`,
    says: /4 rows have a date that is no date/,
  },
  {
    what: 'a column that views read, and whose type changes',
    fault: `create view public.our_tokens as select sum(tokens_used) from ${METRICS}`,
    says: /tokens_used has to become a bigint, and these views read it: public.our_tokens/,
  },
  {
    what: 'several rows of a day, with rows of another table that refer to them',
    fault: `create table public.invoices (metrics_id uuid references ${METRICS} on delete cascade)`,
    says: /1 rows have the same \(organization_id, user_id, date\) as another, and public.invoices refers to them/,
  },
  {
    what: "a key across tenants that another table's rows refer to",
    fault: `create table public.notes (session text references public.chat_sessions (librechat_session_id))`,
    says: /chat_sessions_librechat_session_id_key could set .* and public.notes refers to it/,
  },
]

it.each(unfit)('does not take over $what: it says so, and changes nothing', async ({ fault, says }) => {
  const { database, client } = await createHosted()
  await client.query(COUNTED_BY_HAND)
  await client.query(fault)
  const before = (await client.query(`select * from ${METRICS}`)).rows
  await expect(push(database)).rejects.toThrow(says)
  expect((await client.query(`select * from ${METRICS}`)).rows).toEqual(before)
})
