import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { createTestDatabase, startTestSupabase, type TestSupabase } from '@tollgate/local-stack/testing'
import pg from 'pg'

/** The organization that the reports are asked about. */
export const A = '00000000-0000-4000-8000-00000000000a'
/** The stranger's organization. */
export const B = '00000000-0000-4000-8000-00000000000b'
const PEOPLE = {
  user: { organization: A, role: 'user' },
  admin: { organization: A, role: 'admin' },
  stranger: { organization: B, role: 'admin' },
  superAdmin: { organization: B, role: 'super_admin' },
} as const
/** Who asks. */
export type Person = keyof typeof PEOPLE
/** A row of a report; counts and money are text. */
export type Row = Record<string, string | null>

const DAY_MS = 86_400_000
/** The day so many days ago, in UTC. */
export const dayOf = (daysAgo: number): string => new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10)
/** A span that holds all usage of the fixture. */
export const SPAN = { start: dayOf(20), end: dayOf(-1) }

/** The database behind the reports, its people, and a client of supabase-js for each. */
export interface ReportsFixture {
  readonly sql: pg.Client
  readonly anon: SupabaseClient
  /** With the secret key: service_role. */
  readonly service: SupabaseClient
  readonly ids: Record<Person, string>
  readonly clients: Record<Person, SupabaseClient>
  /** Calls a report function as one of them. */
  readonly report: (person: Person, fn: string, query: object) => Promise<Row[]>
  /** What the ledger says of some usage. */
  readonly ledgerTokens: (where: string) => Promise<bigint>
  readonly close: () => Promise<void>
}

/** Opens a database of its own with two organizations, their people and three weeks of usage. */
export async function openReports(): Promise<ReportsFixture> {
  const database = await createTestDatabase()
  const supabase = await startTestSupabase(database.databaseUrl)
  const sql = new pg.Client(database.databaseUrl)
  await sql.connect()
  await sql.query(`insert into public.organizations (id, name, domain) values ($1, 'A', 'a'), ($2, 'B', 'b')`, [A, B])
  const people: Awaited<ReturnType<typeof addPerson>>[] = []
  for (const person of Object.keys(PEOPLE) as Person[]) people.push(await addPerson(person, supabase, sql))
  const ids = Object.fromEntries(people.map(({ person, id }) => [person, id])) as Record<Person, string>
  const clients = Object.fromEntries(people.map(({ person, client }) => [person, client])) as Record<
    Person,
    SupabaseClient
  >
  await addUsage(sql, ids)
  return {
    ...{ sql, ids, clients, anon: open(supabase), service: open(supabase, supabase.secretKey) },
    report: async (person, fn, query) => {
      const { data, error } = await clients[person].rpc(fn, { query })
      if (error) throw error
      return data as Row[]
    },
    ledgerTokens: async (where) => {
      const { rows } = await sql.query(
        `select coalesce(sum(total_tokens), 0)::text as n from tollgate.usage_events where ${where}`,
      )
      return BigInt(rows[0].n)
    },
    close: async () => {
      await sql.end()
      await supabase.stop()
      await database.drop()
    },
  }
}

const open = (supabase: TestSupabase, key = supabase.publishableKey): SupabaseClient =>
  createClient(supabase.url, key, { auth: { persistSession: false, autoRefreshToken: false } })

async function addPerson(person: Person, supabase: TestSupabase, sql: pg.Client) {
  const client = open(supabase)
  const { data, error } = await client.auth.signUp({
    email: `${person}@example.com`,
    password: 'correct horse battery',
  })
  if (error || !data.user) throw error ?? new Error('no user')
  const { organization, role } = PEOPLE[person]
  await sql.query(
    'insert into public.profiles (id, organization_id, role, email, full_name) values ($1, $2, $3, $4, $5)',
    [data.user.id, organization, role, `${person}@example.com`, person === 'admin' ? '' : `The ${person}`],
  )
  return { person, id: data.user.id, client }
}

/** Usage of three weeks: two models with a price, one without, cached input and reasoning, two sessions a user. */
async function addUsage(sql: pg.Client, ids: Record<Person, string>): Promise<void> {
  const models = ['gpt-4o', 'gpt-4o-mini', 'model-without-a-price']
  const events = Array.from({ length: 240 }, (_, n) => {
    const person = (['user', 'admin', 'stranger'] as const)[n % 3] ?? 'user'
    const time = new Date(Date.now() - (n % 20) * DAY_MS - n * 60_000).toISOString()
    return {
      ...{ type: 'usage.recorded', source: 'reports', id: `event-${n}`, time, received_at: new Date().toISOString() },
      ...{
        member: true,
        organization_id: PEOPLE[person].organization,
        user_id: ids[person],
        model: models[(n % 7) % 3],
      },
      ...{ session_id: `session-${n % 2}`, input_tokens: 100 + n, output_tokens: 50, message_count: 1 },
      ...{ cache_read_input_tokens: n % 10, cache_creation_input_tokens: 0, reasoning_output_tokens: n % 5 },
    }
  })
  await sql.query('select public.ingest_usage($1)', [JSON.stringify({ events })])
}
