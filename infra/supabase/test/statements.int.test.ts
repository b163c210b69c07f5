import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventOf } from './usage-fixture.ts'

// Statements of one organization over a year, with a change of time zone to the west, closed and sealed months.
const A = eventOf(0, 0).organization_id
const B = '00000000-0000-4000-8000-0000000000bb'
const PEOPLE = {
  user: { id: '00000000-0000-4000-8000-0000000000a1', organization: A, role: 'user' },
  admin: { id: '00000000-0000-4000-8000-0000000000a3', organization: A, role: 'admin' },
  stranger: { id: '00000000-0000-4000-8000-0000000000b1', organization: B, role: 'admin' },
  staff: { id: '00000000-0000-4000-8000-0000000000b2', organization: B, role: 'super_admin' },
} as const
type Person = keyof typeof PEOPLE

interface Line {
  readonly model?: string
  readonly user_id?: string
  readonly period_start?: string
  readonly tokens_used: string
  readonly cost_usd: string | null
  readonly event_count: string
  readonly unpriced_events: string
}
interface Statement {
  readonly period_start: Date
  readonly first_day: string
  readonly last_day: string
  readonly time_zone: string
  readonly state: 'open' | 'over' | 'frozen'
  readonly total: Line
  readonly models: Line[]
  readonly users: Line[]
  readonly earlier: Line[]
  readonly later: Line[]
}

const now = Date.now()
const DAY_MS = 86_400_000
let database: TestDatabase
let sql: pg.Client

const old = (key: number, daysAgo: number) => ({
  ...{ ...eventOf(key, now), organization_id: A, user_id: key % 3 === 0 ? PEOPLE.user.id : PEOPLE.admin.id },
  ...{ imported: true, time: new Date(now - daysAgo * DAY_MS + (key % 24) * 3_600_000).toISOString() },
})
const ingest = (events: object[]) => sql.query('select public.ingest_usage($1)', [JSON.stringify({ events })])

/** Asks a report as a signed-in user, or as anon. */
async function ask<Row extends object>(person: Person | 'anon', report: string, query: object): Promise<Row[]> {
  await sql.query('begin')
  try {
    const role = person === 'anon' ? 'anon' : 'authenticated'
    const claims = { role, ...(person === 'anon' ? {} : { sub: PEOPLE[person].id }) }
    await sql.query(
      `select set_config('request.jwt.claims', $1, true), set_config('request.jwt.claim.sub', $2, true)`,
      [JSON.stringify(claims), person === 'anon' ? '' : PEOPLE[person].id],
    )
    await sql.query(`set local role ${role}`)
    // Days as text, as PostgREST hands them over.
    const dates =
      { report_statement: ', first_day::text, last_day::text', report_periods: ', first_day::text' }[report] ?? ''
    return (await sql.query(`select r.*${dates} from public.${report}($1) r`, [JSON.stringify(query)])).rows
  } finally {
    await sql.query('rollback')
  }
}

const periods = () =>
  ask<{ first_day: string; state: string; used_tokens: string }>('admin', 'report_periods', { organization_id: A })
async function statement(day?: string): Promise<Statement> {
  const [row] = await ask<Statement>('admin', 'report_statement', { organization_id: A, ...(day ? { day } : {}) })
  return row ?? expect.fail('no statement')
}
async function all(): Promise<Statement[]> {
  const statements: Statement[] = []
  for (const { first_day } of await periods()) statements.push(await statement(first_day))
  return statements
}
/** What a statement says, without the instant at which it was asked for. */
const said = (statements: Statement[]) => statements.map(({ as_of, ...rest }: Statement & { as_of?: Date }) => rest)

const PICO = 10n ** 12n
const pico = (usd: string | null): bigint => {
  const [whole = '0', fraction = ''] = (usd ?? '0').split('.')
  return BigInt(whole) * PICO + BigInt(fraction.padEnd(12, '0')) * (whole.startsWith('-') ? -1n : 1n)
}
const sum = (lines: readonly Line[]) => ({
  tokens: lines.reduce((n, line) => n + BigInt(line.tokens_used), 0n),
  cost: lines.reduce((n, line) => n + pico(line.cost_usd), 0n),
  events: lines.reduce((n, line) => n + BigInt(line.event_count), 0n),
  // Of a closed period's line that got its price here there are fewer than none: that hides no other line's.
  unpriced: lines.reduce((n, line) => n + BigInt(Math.max(Number(line.unpriced_events), 0)), 0n),
})

function expectAddsUp({ total, models, users, earlier }: Statement): void {
  expect(sum([...models, ...earlier])).toEqual(sum([total]))
  expect(sum([...users, ...earlier])).toEqual(sum([total]))
}

async function ledgerByModel(periodStart: Date): Promise<Record<string, string>> {
  const { rows } = await sql.query<{ model: string; tokens: string }>(
    `select model, sum(total_tokens)::text as tokens from tollgate.usage_events
     where organization_id = $1 and period_start = $2 and original_period_start is null group by 1`,
    [A, periodStart],
  )
  return Object.fromEntries(rows.map(({ model, tokens }) => [model, tokens]))
}

async function close({ first_day }: { first_day: string }): Promise<void> {
  const request = { organization_id: A, at: `${first_day}T12:00:00Z`, closed_by: 'test' }
  const { rows } = await sql.query('select outcome from public.close_period($1)', [request])
  expect(rows).toEqual([{ outcome: 'closed' }])
  await sql.query('select public.complete_statements($1)', [A])
}

beforeAll(async () => {
  database = await createTestDatabase()
  sql = new pg.Client(database.databaseUrl)
  await sql.connect()
  await sql.query(`insert into public.organizations (id, name, domain) values ($1, 'A', 'a'), ($2, 'B', 'b')`, [A, B])
  await sql.query('set session_replication_role = replica') // accounts of auth.users are another system's
  for (const [name, { id, organization, role }] of Object.entries(PEOPLE)) {
    const values = [id, organization, role, `${name}@example.com`]
    await sql.query('insert into public.profiles (id, organization_id, role, email) values ($1, $2, $3, $4)', values)
  }
  await sql.query('set session_replication_role = origin')
  // Usage in UTC, then a schedule of Honolulu from a month's end 200 days ago on, whose first hours bear the old dates.
  await ingest(Array.from({ length: 60 }, (_, key) => old(key, 215 + key * 2)))
  await sql.query(`select tollgate.change_schedule($1, 'Pacific/Honolulu', 1, now() - interval '215 days')`, [A])
  const { rows } = await sql.query<{ at: Date }>(
    'select valid_from as at from tollgate.period_schedules where organization_id = $1 and isfinite(valid_from)',
    [A],
  )
  const border = rows[0]?.at.getTime() ?? expect.fail('no border')
  const around = [-3, -1, 1, 4, 8, 11].map((hours, key) => ({
    ...{ ...old(1_000 + key, 0), time: new Date(border + hours * 3_600_000).toISOString() },
  }))
  const today = ['gpt-4o', 'model-without-a-price'].map((model, key) => ({
    ...{ ...old(1_900 + key, 0), model, time: new Date(now).toISOString() },
  }))
  await ingest([...around, ...today, ...Array.from({ length: 60 }, (_, key) => old(2_000 + key, key * 2))])
  await sql.query('select public.ensure_usage_partitions()')
})
afterAll(async () => {
  await sql?.end()
  await database?.drop()
})

it('add up to the total of the period and to the ledger, by model and by user, also where two periods share a day', async () => {
  const { rows } = await sql.query('select d.date::text from tollgate.shared_days($1) d', [A])
  expect(rows).toHaveLength(1)
  const statements = await all()
  expect(statements.length).toBeGreaterThanOrEqual(8)
  for (const one of statements) {
    expectAddsUp(one)
    expect(Object.fromEntries(one.models.map((line) => [line.model, line.tokens_used]))).toEqual(
      await ledgerByModel(one.period_start),
    )
  }
  expect(statements.map(({ state }) => state)).toEqual(['open', ...statements.slice(1).map(() => 'over')])
  expect(statements.at(0)?.time_zone).toBe('Pacific/Honolulu')
})

it('show usage without a price as unpriced, never as zero', async () => {
  const { models } = await statement()
  const unpriced = models.find(({ model }) => model === 'model-without-a-price')
  expect(unpriced).toMatchObject({ cost_usd: null, unpriced_events: unpriced?.event_count })
  expect(models.find(({ model }) => model === 'gpt-4o')?.cost_usd).toMatch(/^\d+\.\d+/)
})

it('are frozen when closed; what comes later stands in the open one, with the period that it belongs to', async () => {
  const list = await periods()
  const [, , last, , first] = list
  if (!last || !first) return expect.fail('too few periods')
  for (const period of [last, first]) await close(period)
  const frozen = await statement(last.first_day)
  expect(frozen.state).toBe('frozen')
  const time = `${last.first_day}T15:00:00Z`
  const late = Array.from({ length: 4 }, (_, key) => ({ ...old(3_000 + key, 0), time, model: 'gpt-4o' }))
  await ingest(late)
  const after = await statement(last.first_day)
  expect({ ...after, later: [], as_of: null }).toEqual({ ...frozen, as_of: null })
  expectAddsUp(after)
  const open = await statement()
  expectAddsUp(open)
  expect(open.earlier).toMatchObject([{ model: 'gpt-4o', event_count: '4' }])
  expect(Date.parse(open.earlier[0]?.period_start ?? '')).toBe(frozen.period_start.getTime())
  expect(after.later).toMatchObject([{ event_count: '4', tokens_used: open.earlier[0]?.tokens_used }])
})

it('equal what `period close` froze: the total, and line by line', async () => {
  const { rows } = await sql.query('select * from public.list_statements($1)', [A])
  expect(rows).toHaveLength(2)
  for (const row of rows) {
    const one = (await all()).find(({ period_start }) => period_start.getTime() === row.period_start.getTime())
    expect(one?.total).toMatchObject({
      tokens_used: row.used_tokens,
      cost_usd: row.cost_usd,
      charge_usd: row.charge_usd,
    })
    const lines = row.lines as { model: string; total_tokens: string; cost_usd: string }[]
    expect(one?.models.map((line) => [line.model, line.tokens_used, pico(line.cost_usd)]).sort()).toEqual(
      lines.map((line) => [line.model, line.total_tokens, pico(line.cost_usd)]).sort(),
    )
  }
})

it('tell their own usage without a price, whatever a re-rate of a closed period posted to them', async () => {
  const unpriced = async () => {
    const [organization] = await ask<Line>('staff', 'report_organizations', { search: 'a' })
    const [quota] = await ask<Line>('admin', 'report_quota', { organization_id: A })
    const [period] = await ask<Line>('admin', 'report_periods', { organization_id: A })
    return [organization, quota, period, (await statement()).total].map((row) => row?.unpriced_events)
  }
  const before = await unpriced()
  expect(Number(before[0])).toBeGreaterThan(0)
  expect(new Set(before).size).toBe(1)
  const [, , last] = await periods()
  const frozen = await statement(last?.first_day)
  const calls = Number(frozen.total.unpriced_events)
  expect(calls).toBeGreaterThan(0)
  await sql.query('select public.set_price($1)', [
    { provider: 'acme', model: 'model-without-a-price', input: '1', output: '2' },
  ])
  await sql.query(
    `select public.rerate_usage(jsonb_build_object('organization_id', $1::uuid, 'date', d::date, 'bucket', 0, 'buckets', 1,
       'dry_run', false)) from generate_series($2::date, $3::date, '1 day') d`,
    [A, frozen.first_day, frozen.last_day],
  )
  const open = await statement()
  expect(open.earlier).toMatchObject([
    { model: 'gpt-4o' },
    { model: 'model-without-a-price', event_count: '0', unpriced_events: `-${calls}`, cost_usd: expect.any(String) },
  ])
  expectAddsUp(open)
  expect(await unpriced()).toEqual(before)
  expect((await statement(last?.first_day)).total).toEqual(frozen.total)
})

it('read of the ledger nothing that other periods postponed or share', async () => {
  const postings = async (period: { first_day: string } | undefined) => {
    const { period_start } = await statement(period?.first_day)
    return (await sql.query('select from tollgate.list_postings($1, $2)', [A, period_start])).rowCount
  }
  const [open, , closed, quiet] = await periods()
  expect(await postings(open)).toBeGreaterThan(0)
  expect(await postings(closed)).toBe(await postings(open)) // what one postponed to the other
  expect(await postings(quiet)).toBe(0)
})

it('say the same after their months were sealed and their ledger is gone', async () => {
  const before = await all()
  for (;;) {
    const { rows } = await sql.query('select * from public.seal_usage_partition(130)')
    if (rows.length === 0) break
  }
  const { rows } = await sql.query(
    `select min(time) > now() - interval '170 days' as is_gone from tollgate.usage_events`,
  )
  expect(rows).toEqual([{ is_gone: true }])
  expect((await sql.query('select from tollgate.sealed_postings')).rowCount).toBeGreaterThan(0)
  const after = await all()
  expect(said(after)).toEqual(said(before))
  for (const one of after) expectAddsUp(one)
})

it('still add up when one of their users was erased', async () => {
  const before = await all()
  await sql.query('select public.erase_user($1)', [{ user_id: PEOPLE.user.id, actor: 'test' }])
  const after = await all()
  expect(after.map(({ total, models }) => ({ total, models }))).toEqual(
    before.map(({ total, models }) => ({ total, models })),
  )
  for (const one of after) expectAddsUp(one)
  expect(JSON.stringify(after)).not.toContain(PEOPLE.user.id)
})

it.each(['report_statement', 'report_periods'])(
  '%s is for the admin of the organization and super_admin',
  async (report) => {
    const query = { organization_id: A }
    for (const person of ['admin', 'staff'] as const)
      expect((await ask(person, report, query)).length).toBeGreaterThan(0)
    for (const person of ['user', 'stranger'] as const) expect(await ask(person, report, query)).toEqual([])
    await expect(ask('anon', report, query)).rejects.toMatchObject({ code: '42501' })
  },
)
