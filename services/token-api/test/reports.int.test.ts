import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addProfile } from './support/seed.ts'
import { type Bench, openBench } from './support/start-api.ts'

// What the API shows must be what row level security shows: each report is asked of both, as each role.
const DAY_MS = 86_400_000
const dayOf = (daysAgo: number): string => new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10)
const SPAN = { start: dayOf(20), end: dayOf(-1) }
const HOURS = { start: dayOf(1), end: dayOf(-1), bucket: 'hour' }
const PEOPLE = { user: 'user', admin: 'admin', stranger: 'admin', super_admin: 'super_admin' } as const
type Person = keyof typeof PEOPLE
type Row = Record<string, string | number | null>
type Page = { rows: Row[]; sessions: Row[]; next: string | null; open_sessions: number }

let bench: Bench
let home: string
let other: string
const ids = {} as Record<Person, string>
const tokens: Record<string, string> = {}

async function addPerson(person: Person): Promise<void> {
  const { url = '', publishableKey: apikey = '' } = bench.supabase ?? {}
  const email = `${person}@company.example`
  const json = { email, password: 'correct horse battery' }
  const { body } = await call<{ access_token: string; user: { id: string } }>(url, '/auth/v1/signup', {
    ...{ method: 'POST', headers: { apikey }, json },
  })
  ids[person] = body.user.id
  tokens[person] = body.access_token
  await addProfile(
    bench.db,
    body.user.id,
    email,
    person === 'user' || person === 'admin' ? home : other,
    PEOPLE[person],
  )
}

async function addUsage(): Promise<void> {
  const models = ['gpt-4o', '=cmd|x', 'gpt-4o-mini']
  const events = Array.from({ length: 180 }, (_, n) => {
    const person = (['user', 'admin', 'stranger'] as const)[n % 3] ?? 'user'
    return {
      ...{ type: 'usage.recorded', source: 'reports', id: `event-${n}`, member: true, user_id: ids[person] },
      time: new Date(Date.now() - (n % 20) * DAY_MS - n * 60_000).toISOString(),
      received_at: new Date().toISOString(),
      organization_id: person === 'stranger' ? other : home,
      ...{ model: models[(n % 7) % 3], session_id: `session-${n % 5}`, input_tokens: 100 + n, output_tokens: 50 },
      ...{ cache_read_input_tokens: n % 10, cache_creation_input_tokens: 0, reasoning_output_tokens: n % 5 },
      message_count: 1,
    }
  })
  await bench.db.query('select public.ingest_usage($1)', [JSON.stringify({ events })])
}

beforeAll(async () => {
  bench = await openBench({ auth: true })
  home = await addOrganization(bench.db)
  other = await addOrganization(bench.db)
  for (const person of Object.keys(PEOPLE) as Person[]) await addPerson(person)
  tokens.organization_key = await addKey(bench.db, ['usage:read'], home)
  tokens.operator_key = await addKey(bench.db, ['usage:read'])
  await addUsage()
})
afterAll(() => bench.stop())

const pathOf = (report: string, query: Record<string, string>): string =>
  `/v1/organizations/${home}/${report}?${new URLSearchParams(query)}`

const ask = (report: string, as: string, query: Record<string, string>, headers: Record<string, string> = {}) =>
  call<Page>(bench.api.url, pathOf(report, query), { token: tokens[as] ?? '', headers })

/** All rows of a report, page after page. */
async function readAll(report: 'usage' | 'sessions', as: string, query: Record<string, string>): Promise<Row[]> {
  const rows: Row[] = []
  for (let after: string | null = ''; after !== null; ) {
    const { status, body } = await ask(report, as, { ...query, limit: '7', ...(after ? { after } : {}) })
    if (status === 403) return []
    expect(status, JSON.stringify(body)).toBe(200)
    rows.push(...(report === 'usage' ? body.rows : body.sessions))
    after = body.next
  }
  return rows
}

/** The same of the report function, as supabase-js calls it with the user's own token. */
async function readUnderRls(fn: string, person: Person, query: object): Promise<Row[]> {
  const { url = '', publishableKey: apikey = '' } = bench.supabase ?? {}
  const json = { query: { organization_id: home, ...query } }
  const request = { method: 'POST', token: tokens[person] ?? '', headers: { apikey }, json }
  const { status, body } = await call<Row[]>(url, `/rest/v1/rpc/${fn}`, request)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

const COUNTS = /(_tokens|tokens_used|_count|_events)$/
/** Rows in a fixed order, with counts as numbers and times as instants, without what only one of both tells. */
function comparable(rows: Row[]): string[] {
  const plain = ([name, value]: [string, Row[string]]) => {
    if (value !== null && COUNTS.test(name)) return [name, Number(value)]
    return [name, value !== null && name.endsWith('_at') ? Date.parse(String(value)) : value]
  }
  return rows
    .map(({ cursor: _cursor, event_count: _events, ...row }) => JSON.stringify(Object.entries(row).map(plain).sort()))
    .sort()
}

const QUERIES: Record<string, string>[] = [
  ...['day', 'month', 'total'].flatMap((bucket) =>
    ['', 'model', 'user', 'model,user', 'token_kind', 'model,user,token_kind'].map((group_by) => ({
      ...{ ...SPAN, bucket },
      ...(group_by === '' ? {} : { group_by }),
    })),
  ),
  { ...SPAN, model: 'gpt-4o' },
  { ...SPAN, model: 'gpt-4o', group_by: 'user' },
  HOURS,
  { ...HOURS, group_by: 'model,user' },
]

describe.each(Object.keys(PEOPLE) as Person[])('%s sees what row level security shows', (person) => {
  test.each(QUERIES.map((query) => [JSON.stringify(query), query] as const))('usage %s', async (_name, query) => {
    const group_by = query.group_by?.split(',') ?? []
    for (const about of [undefined, ids.user, ids.admin]) {
      const asked = about === undefined ? query : { ...query, user_id: about }
      const expected = await readUnderRls('report_usage', person, { ...asked, group_by })
      expect(comparable(await readAll('usage', person, asked))).toEqual(comparable(expected))
    }
  })

  test.each(['', 'user', 'admin'] as const)('chat sessions of %j', async (about) => {
    const asked = about === '' ? SPAN : { ...SPAN, user_id: ids[about] }
    const expected = await readUnderRls('report_sessions', person, asked)
    const shown = await readAll('sessions', person, asked)
    expect(comparable(shown)).toEqual(comparable(expected))
    expect(shown.map((row) => row.librechat_session_id)).toEqual(expected.map((row) => row.librechat_session_id))
  })
})

test('says how many chat sessions that the caller may see are open at a time', async () => {
  const at = new Date(Date.now() - 2_000).toISOString()
  const open = async (as: string, query: Record<string, string> = {}) =>
    (await ask('sessions', as, { ...SPAN, ...query })).body.open_sessions
  const count = async (about: string | null) => {
    const sql = `select count(*)::int as n from public.chat_sessions where organization_id = $1 and status = 'active'
      and user_id = coalesce($2, user_id)`
    return (await bench.db.query(sql, [home, about])).rows[0].n
  }
  const own = await count(ids.user)
  expect(own).toBeGreaterThan(0)
  expect([await open('user'), await open('user', { open_at: at })]).toEqual([own, own])
  expect(await open('admin')).toBe(await count(null))
  expect(await open('admin', { user_id: ids.user })).toBe(own)
  expect(await open('admin', { open_at: '2020-01-01T00:00:00Z' })).toBe(0)
  expect((await ask('sessions', 'user', { ...SPAN, open_at: 'noon' })).status).toBe(400)
})

test('the figures compared are not empty, and differ between roles', async () => {
  const tokensOf = async (as: string) =>
    (await readAll('usage', as, { ...SPAN, bucket: 'total' })).map((row) => row.tokens_used)
  const { rows } = await bench.db.query(
    `select sum(total_tokens) filter (where user_id = $2)::int as own, sum(total_tokens)::int as whole
     from tollgate.usage_events where organization_id = $1`,
    [home, ids.user],
  )
  expect(await tokensOf('user')).toEqual([rows[0].own])
  for (const as of ['admin', 'super_admin', 'organization_key', 'operator_key']) {
    expect(await tokensOf(as)).toEqual([rows[0].whole])
  }
  expect((await ask('usage', 'stranger', SPAN)).status).toBe(403)
})

test('an organization that does not exist is not found by whoever sees all, and stays forbidden to others', async () => {
  const nowhere = randomUUID()
  const read = async (as: string, report: string, organization: string) => {
    const query = new URLSearchParams({ start: '2020-01-01', end: '2020-01-02' })
    const path = `/v1/organizations/${organization}/${report}?${query}`
    return (await call(bench.api.url, path, { token: tokens[as] ?? '' })).status
  }
  for (const report of ['usage', 'sessions']) {
    for (const as of ['super_admin', 'operator_key']) {
      expect([await read(as, report, nowhere), await read(as, report, home)]).toEqual([404, 200])
    }
    for (const as of ['user', 'admin', 'organization_key']) expect(await read(as, report, nowhere)).toBe(403)
  }
})

test('an answer that the caller has is 304, until a figure changes', async () => {
  for (const report of ['usage', 'sessions']) {
    const first = await ask(report, 'admin', SPAN)
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^W\/"[\w-]{27}"$/)
    const again = await ask(report, 'admin', SPAN, { 'if-none-match': `"other", ${etag}` })
    expect([again.status, again.body]).toEqual([304, ''])
    // Another caller's answer is another one, and has another tag.
    expect((await ask(report, 'user', SPAN, { 'if-none-match': etag })).status).toBe(200)
  }
})

test('CSV holds the same rows, has no formulas and leads to the next page', async () => {
  const query = { ...SPAN, bucket: 'total', group_by: 'model' }
  const { rows } = (await ask('usage', 'admin', query)).body
  const csv = await ask('usage', 'admin', query, { accept: 'text/csv, */*;q=0.1' })
  expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  const lines = String(csv.body).trimEnd().split('\r\n')
  expect(lines).toHaveLength(rows.length + 1)
  expect(lines.map((line) => line.split(',')[1])).toEqual(['model', "'=cmd|x", 'gpt-4o', 'gpt-4o-mini'])
  const page = await ask('usage', 'admin', { ...query, format: 'csv', limit: '1' })
  const link = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1] ?? ''
  const next = await call(bench.api.url, link, { token: tokens.admin ?? '' })
  expect(String(next.body).trimEnd().split('\r\n')).toEqual([lines[0], lines[2]])
})

test('usage without a price is null, never zero', async () => {
  const { rows } = (await ask('usage', 'admin', { ...SPAN, bucket: 'total', group_by: 'model' })).body
  expect(rows.find((row) => row.model === '=cmd|x')).toMatchObject({ cost_usd: null, charge_usd: null })
  expect(rows.find((row) => row.model === 'gpt-4o')?.cost_usd).toMatch(/^0\.\d+$/)
})

test.each([
  { ...SPAN, bucket: 'hour' },
  { ...SPAN, bucket: 'minute' },
  { ...SPAN, group_by: 'organization' },
  { start: dayOf(0), end: dayOf(0) },
  { start: '2026-02-30', end: '2026-03-01' },
  { ...SPAN, after: 'bm90IGpzb24' },
  { ...SPAN, after: Buffer.from('["a","b","\\u0000",null]').toString('base64url') },
  { ...SPAN, unknown: '1' },
])('refuses %j', async (query) => {
  expect((await ask('usage', 'admin', { ...query } as Record<string, string>)).status).toBe(400)
})
