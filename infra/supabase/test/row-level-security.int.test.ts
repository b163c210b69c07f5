import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import {
  createTestDatabase,
  startTestSupabase,
  type TestDatabase,
  type TestSupabase,
} from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const A = '00000000-0000-4000-8000-00000000000a'
const B = '00000000-0000-4000-8000-00000000000b'
const PEOPLE = {
  user: { organization: A, role: 'user' },
  colleague: { organization: A, role: 'user' },
  admin: { organization: A, role: 'admin' },
  stranger: { organization: B, role: 'admin' },
  superAdmin: { organization: B, role: 'super_admin' },
} as const
type Person = keyof typeof PEOPLE

let database: TestDatabase
let supabase: TestSupabase
let admin: pg.Client
let anon: SupabaseClient
const ids = {} as Record<Person, string>
const clients = {} as Record<Person, SupabaseClient>

const open = (key: string): SupabaseClient =>
  createClient(supabase.url, key, { auth: { persistSession: false, autoRefreshToken: false } })

async function signUp(person: Person): Promise<void> {
  const client = open(supabase.publishableKey)
  const { data, error } = await client.auth.signUp({
    email: `${person}@example.com`,
    password: 'correct horse battery',
  })
  if (error || !data.user) throw error ?? new Error('no user')
  ids[person] = data.user.id
  clients[person] = client
}

beforeAll(async () => {
  database = await createTestDatabase()
  supabase = await startTestSupabase(database.databaseUrl)
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  anon = open(supabase.publishableKey)
  for (const person of Object.keys(PEOPLE) as Person[]) await signUp(person)
  await admin.query(`insert into public.organizations (id, name, domain) values ($1, 'A', 'a'), ($2, 'B', 'b')`, [A, B])
  for (const [person, { organization, role }] of Object.entries(PEOPLE)) {
    const id = ids[person as Person]
    await admin.query('insert into public.profiles (id, organization_id, role, email) values ($1, $2, $3, $4)', [
      id,
      organization,
      role,
      `${person}@example.com`,
    ])
    await admin.query(
      `insert into public.usage_metrics (organization_id, user_id, date) values ($1, $2, '2026-11-01')`,
      [organization, id],
    )
    await admin.query(
      `insert into public.chat_sessions (organization_id, user_id, librechat_session_id, started_at, last_activity_at)
       values ($1, $2, 'c', now(), now())`,
      [organization, id],
    )
  }
})
afterAll(async () => {
  await admin?.end()
  await supabase?.stop()
  await database?.drop()
})

async function readers(client: SupabaseClient, table: string): Promise<Person[]> {
  const { data, error } = await client.from(table).select('user_id')
  if (error) throw error
  const people = Object.entries(ids) as [Person, string][]
  const seen = data.map((row) => people.find(([, id]) => id === row.user_id)?.[0])
  return seen.filter((person) => person !== undefined).sort()
}

describe.each(['usage_metrics', 'chat_sessions'])('%s under row level security', (table) => {
  it.each<[Person, Person[]]>([
    ['user', ['user']],
    ['colleague', ['colleague']],
    ['admin', ['admin', 'colleague', 'user']],
    ['stranger', ['stranger', 'superAdmin']],
    ['superAdmin', ['admin', 'colleague', 'stranger', 'superAdmin', 'user']],
  ])('shows to %s the rows of %j alone', async (person, expected) => {
    expect(await readers(clients[person], table)).toEqual(expected)
  })

  it('shows nothing to anon', async () => {
    const { data, error } = await anon.from(table).select('*')
    expect(error?.code ?? data).toSatisfy((found) => found === '42501' || found?.length === 0)
  })

  it.each(['user', 'admin', 'superAdmin'] as const)('lets %s neither insert, update nor delete', async (person) => {
    const count = `select count(*), md5(string_agg(t::text, ',' order by t::text)) from public.${table} t`
    const before = await admin.query(count)
    const row = { organization_id: PEOPLE[person].organization, user_id: ids[person] }
    const rows: object =
      table === 'usage_metrics' ? { ...row, date: '2026-11-02' } : { ...row, librechat_session_id: 'x' }
    const written = await Promise.all([
      clients[person].from(table).insert(rows),
      clients[person].from(table).update({ message_count: 7 }).eq('user_id', ids[person]),
      clients[person].from(table).delete().eq('user_id', ids[person]),
    ])
    expect(written.map(({ error }) => error?.code)).toEqual(['42501', '42501', '42501'])
    expect((await admin.query(count)).rows).toEqual(before.rows)
  })
})

describe('profiles and organizations', () => {
  it.each<[Person, object]>([
    ['user', { role: 'super_admin' }],
    ['user', { organization_id: B }],
    ['admin', { role: 'super_admin' }],
  ])('refuse that %s sets %j in the own profile', async (person, change) => {
    const { error } = await clients[person].from('profiles').update(change).eq('id', ids[person])
    expect(error?.code).toBe('42501')
    const { rows } = await admin.query('select organization_id, role from public.profiles where id = $1', [ids[person]])
    expect(rows).toEqual([{ organization_id: PEOPLE[person].organization, role: PEOPLE[person].role }])
  })

  it('let a user change the own display name, and nobody else the same', async () => {
    const { error } = await clients.user.from('profiles').update({ full_name: 'Own' }).eq('id', ids.user)
    expect(error).toBeNull()
    await clients.colleague.from('profiles').update({ full_name: 'Foreign' }).eq('id', ids.user)
    const { rows } = await admin.query('select full_name from public.profiles where id = $1', [ids.user])
    expect(rows).toEqual([{ full_name: 'Own' }])
  })

  it('show the own organization alone', async () => {
    const { data } = await clients.user.from('organizations').select('id')
    expect(data).toEqual([{ id: A }])
  })
})

describe("the services' functions", () => {
  it.each(['ingest_usage', 'park_events', 'set_quota', 'apply_enforcement', 'find_service_key', 'find_login'])(
    '%s cannot be called by anon or a signed-in user',
    async (name) => {
      const { rows } = await admin.query(
        `select r.role, has_function_privilege(r.role, p.oid, 'execute') as may
         from pg_proc p, unnest(array['anon', 'authenticated', 'public']) r (role)
         where p.pronamespace = 'public'::regnamespace and p.proname = $1`,
        [name],
      )
      expect(rows).toHaveLength(3)
      expect(rows.filter((row) => row.may)).toEqual([])
      const { error } = await clients.superAdmin.rpc(name, {})
      expect(error).not.toBeNull()
    },
  )

  it('each service executes its own functions alone', async () => {
    const { rows } = await admin.query<{ role: string; functions: string[] }>(
      `select r.role, array_agg(p.proname::text order by p.proname::text) as functions
       from pg_proc p, unnest(array['tollgate_token_api', 'tollgate_usage_worker', 'tollgate_quota_enforcer']) r (role)
       where p.pronamespace = 'public'::regnamespace and has_function_privilege(r.role, p.oid, 'execute')
         and p.prosrc <> '' and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
       group by r.role`,
    )
    const may = Object.fromEntries(rows.map(({ role, functions }) => [role, functions]))
    expect(may.tollgate_usage_worker).toContain('ingest_usage')
    expect(may.tollgate_token_api).not.toContain('ingest_usage')
    expect(may.tollgate_quota_enforcer).not.toContain('ingest_usage')
    expect(may.tollgate_token_api).not.toContain('apply_enforcement')
    expect(may.tollgate_usage_worker).not.toContain('apply_enforcement')
  })
})

it('every table of Tollgate has row level security, enabled and forced', async () => {
  const { rows } = await admin.query(
    `select c.oid::regclass::text as name from pg_class c
     where c.relkind in ('r', 'p') and not c.relispartition
       and (c.relnamespace = 'tollgate'::regnamespace
         or c.oid in ('public.usage_metrics'::regclass, 'public.chat_sessions'::regclass))
       and not (c.relrowsecurity and c.relforcerowsecurity)`,
  )
  expect(rows).toEqual([])
})
