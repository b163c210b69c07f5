import type { SupabaseClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeQuotaReports } from './report-quota.ts'
import { A, B, dayOf, openReports, type Person, type ReportsFixture, type Row, SPAN } from './reports-fixture.ts'

// The report functions as the dashboard calls them: through supabase-js, with the signed-in user's own token.
let fixture: ReportsFixture
let sql: pg.Client
let anon: SupabaseClient
let ids: Record<Person, string>
let clients: Record<Person, SupabaseClient>

beforeAll(async () => {
  fixture = await openReports()
  ;({ sql, anon, ids, clients } = fixture)
})
afterAll(() => fixture?.close())

const report = (person: Person, fn: string, query: object): Promise<Row[]> => fixture.report(person, fn, query)
const usage = (person: Person, query: object): Promise<Row[]> =>
  report(person, 'report_usage', { organization_id: A, ...SPAN, ...query })

const total = (rows: Row[], column: string): bigint => rows.reduce((sum, row) => sum + BigInt(row[column] ?? 0), 0n)

const ledgerTokens = (where: string): Promise<bigint> => fixture.ledgerTokens(where)

describe('report_usage', () => {
  it.each<[string, object]>([
    ['day', {}],
    ['month', {}],
    ['total', {}],
    ['day', { group_by: ['model'] }],
    ['day', { group_by: ['user'] }],
    ['day', { group_by: ['model', 'user'] }],
    ['total', { group_by: ['token_kind'] }],
  ])('by %s and %j adds up to the ledger for an admin', async (bucket, query) => {
    const rows = await usage('admin', { bucket, ...query })
    expect(total(rows, 'tokens_used')).toBe(await ledgerTokens(`organization_id = '${A}'`))
  })

  it('by the hour adds up to the ledger of its two days', async () => {
    const rows = await usage('admin', { bucket: 'hour', start: dayOf(1), end: dayOf(-1), group_by: ['model'] })
    const expected = await ledgerTokens(`organization_id = '${A}' and usage_date >= '${dayOf(1)}'`)
    expect(expected).toBeGreaterThan(0n)
    expect(total(rows, 'tokens_used')).toBe(expected)
    expect(rows[0]?.bucket).toMatch(/^\d{4}-\d\d-\d\dT\d\d:00:00Z$/)
  })

  it.each([[['model']], [['user']], [['model', 'user']], [[]], [['token_kind']]])(
    'grouped by %j shows to a user the own usage alone',
    async (group_by) => {
      const rows = await usage('user', { bucket: 'total', group_by })
      expect(total(rows, 'tokens_used')).toBe(await ledgerTokens(`user_id = '${ids.user}'`))
      expect(rows.every((row) => row.user_id === null || row.user_id === ids.user)).toBe(true)
    },
  )

  it('asked for a colleague or by the hour, still shows a user the own usage alone', async () => {
    expect(await usage('user', { bucket: 'total', user_id: ids.admin })).toEqual([])
    const hours = await usage('user', { bucket: 'hour', start: dayOf(1), end: dayOf(-1) })
    expect(total(hours, 'tokens_used')).toBe(
      await ledgerTokens(`user_id = '${ids.user}' and usage_date >= '${dayOf(1)}'`),
    )
  })

  it.each([[[]], [['model']], [['user']], [['token_kind']]])(
    "grouped by %j shows to another organization's admin nothing, to super_admin everything",
    async (group_by) => {
      expect(await usage('stranger', { bucket: 'total', group_by })).toEqual([])
      const rows = await usage('superAdmin', { bucket: 'total', group_by })
      expect(total(rows, 'tokens_used')).toBe(await ledgerTokens(`organization_id = '${A}'`))
    },
  )

  it('shows usage without a price as null, never as zero, and counts it', async () => {
    const rows = await usage('admin', { bucket: 'total', group_by: ['model'] })
    const unpriced = rows.find((row) => row.model === 'model-without-a-price')
    expect(unpriced).toMatchObject({ cost_usd: null, charge_usd: null })
    expect(unpriced?.unpriced_events).toBe(unpriced?.event_count)
    expect(rows.find((row) => row.model === 'gpt-4o')?.cost_usd).toMatch(/^0\.\d+$/)
  })

  it('as one value is whole where the API cuts rows off', async () => {
    const models = Array.from({ length: 1_005 }, (_, n) => ({
      ...{ type: 'usage.recorded', source: 'many', id: `event-${n}`, model: `model-${n}`, member: true },
      ...{ time: `${dayOf(25)}T12:00:00Z`, received_at: new Date().toISOString(), imported: true, session_id: 'many' },
      ...{ organization_id: B, user_id: ids.stranger, input_tokens: 1 + n, output_tokens: 0, message_count: 1 },
      ...{ cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_output_tokens: 0 },
    }))
    await sql.query('select public.ingest_usage($1)', [JSON.stringify({ events: models })])
    const day = { start: dayOf(25), end: dayOf(24), group_by: ['model'] }
    const expected = await ledgerTokens(`organization_id = '${B}' and usage_date = '${dayOf(25)}'`)
    const whole = await report('stranger', 'report_usage_whole', { organization_id: B, ...day })
    expect([whole.length, total(whole, 'tokens_used')]).toEqual([1_005, expected])
    const cut = await report('stranger', 'report_usage', { organization_id: B, ...day })
    expect([cut.length, whole.slice(0, 1_000)]).toEqual([1_000, cut])
    expect(await report('admin', 'report_usage_whole', { organization_id: B, ...day })).toEqual([])
  })

  it('names users by full name, else e-mail', async () => {
    const rows = await usage('admin', { bucket: 'total', group_by: ['user'] })
    expect(rows.map((row) => row.user_name).sort()).toEqual(['The user', 'admin@example.com'])
  })

  it.each([
    { bucket: 'hour' },
    { bucket: 'minute' },
    { group_by: ['organization'] },
    { start: dayOf(0), end: dayOf(0) },
    { start: '2020-01-01' },
  ])('refuses %j', async (query) => {
    await expect(usage('admin', query)).rejects.toMatchObject({ code: '22023' })
  })
})

describe('report_summary', () => {
  it('agrees with the ledger, for the span and the one before', async () => {
    const [row] = await report('admin', 'report_summary', { organization_id: A, start: dayOf(9), end: dayOf(-1) })
    const own = `organization_id = '${A}' and usage_date`
    expect(row?.tokens_used).toBe(String(await ledgerTokens(`${own} >= '${dayOf(9)}'`)))
    expect(row?.previous_tokens_used).toBe(
      String(await ledgerTokens(`${own} >= '${dayOf(19)}' and usage_date < '${dayOf(9)}'`)),
    )
    expect(row?.active_users).toBe('2')
  })

  it('compares with as many days from another day on, never with its own', async () => {
    const query = { organization_id: A, start: dayOf(4), end: dayOf(2), previous_start: dayOf(19) }
    const [row] = await report('admin', 'report_summary', query)
    const own = `organization_id = '${A}' and usage_date`
    expect([row?.tokens_used, row?.previous_tokens_used]).toEqual([
      String(await ledgerTokens(`${own} >= '${dayOf(4)}' and usage_date < '${dayOf(2)}'`)),
      String(await ledgerTokens(`${own} >= '${dayOf(19)}' and usage_date < '${dayOf(17)}'`)),
    ])
    await expect(report('admin', 'report_summary', { ...query, previous_start: dayOf(5) })).rejects.toMatchObject({
      code: '22023',
    })
  })

  it('shows a user own figures, a stranger zero', async () => {
    const query = { organization_id: A, ...SPAN }
    const [own] = await report('user', 'report_summary', query)
    expect(own?.tokens_used).toBe(String(await ledgerTokens(`user_id = '${ids.user}'`)))
    const [none] = await report('stranger', 'report_summary', query)
    expect(none).toMatchObject({ tokens_used: '0', active_users: '0', sessions: '0' })
  })
})

describe('report_sessions', () => {
  it('pages through every session once, newest first', async () => {
    const query = { organization_id: A, start: dayOf(40), end: dayOf(-1), limit: 1 }
    const pages: Row[] = []
    for (let after: string | null | undefined; pages.length < 10; ) {
      const [row] = await report('admin', 'report_sessions', after ? { ...query, after } : query)
      if (!row) break
      pages.push(row)
      after = row.cursor
    }
    expect(pages).toHaveLength(4)
    expect(new Set(pages.map((row) => `${row.user_id} ${row.librechat_session_id}`)).size).toBe(4)
    const starts = pages.map((row) => Date.parse(row.started_at ?? ''))
    expect(starts).toEqual([...starts].sort((one, other) => other - one))
    expect(total(pages, 'tokens_used')).toBe(await ledgerTokens(`organization_id = '${A}'`))
  })

  it('shows a user own sessions, a stranger none', async () => {
    const query = { organization_id: A, start: dayOf(40), end: dayOf(-1) }
    const own = await report('user', 'report_sessions', query)
    expect(own.map((row) => row.user_id)).toEqual([ids.user, ids.user])
    expect(await report('stranger', 'report_sessions', query)).toEqual([])
  })
})

describe('report_organizations', () => {
  it('is for super_admin, and finds by a part of the name, literally', async () => {
    const names = async (person: Person, search: string) =>
      (await report(person, 'report_organizations', { search })).map((row) => row.name)
    expect(await names('superAdmin', '')).toEqual(['A', 'B'])
    expect(await names('superAdmin', 'b')).toEqual(['B'])
    expect(await names('superAdmin', '%')).toEqual([])
    expect(await names('admin', '')).toEqual([])
  })

  it('pages through organizations of one name, each once', async () => {
    await sql.query(
      `insert into public.organizations (name, domain) select 'Same', 'same-' || n from generate_series(1, 5) n`,
    )
    const domains: (string | null | undefined)[] = []
    for (let after: string | null | undefined; domains.length < 10; ) {
      const query = { search: 'Same', limit: 2, ...(after ? { after } : {}) }
      const page = await report('superAdmin', 'report_organizations', query)
      domains.push(...page.map((row) => row.domain))
      after = page.at(-1)?.cursor
      if (page.length < 2) break
    }
    expect(domains.toSorted()).toEqual([1, 2, 3, 4, 5].map((n) => `same-${n}`))
  })
})

describe('quota', () => describeQuotaReports(() => fixture))

it('report_me says who is signed in', async () => {
  const { data } = await clients.user.rpc('report_me')
  expect(data).toMatchObject([{ user_id: ids.user, role: 'user', organization_id: A, organization_name: 'A' }])
})

it.each([
  ...['report_usage', 'report_summary', 'report_sessions', 'report_me'],
  ...['report_quota', 'report_organizations', 'report_decisions', 'report_user_limits', 'report_webhook_deliveries'],
  ...['report_grants', 'report_usage_whole'],
])('anon may not call %s', async (fn) => {
  const { data, error } = await anon.rpc(fn, fn === 'report_me' ? {} : { query: { organization_id: A, ...SPAN } })
  expect(error?.code ?? data).toBe('42501')
})

describe('the views for BI tools', () => {
  it.each(['usage_daily_by_model', 'usage_daily_by_user'])('%s shows each role what its tables show', async (view) => {
    const seen = async (person: Person) => {
      const { data, error } = await clients[person].from(view).select('user_id')
      if (error) throw error
      return [...new Set(data.map((row) => row.user_id))].sort()
    }
    expect(await seen('user')).toEqual([ids.user])
    expect(await seen('admin')).toEqual([ids.user, ids.admin].sort())
    expect(await seen('stranger')).toEqual([ids.stranger])
    expect(await seen('superAdmin')).toEqual([ids.user, ids.admin, ids.stranger].sort())
    const { data, error } = await anon.from(view).select('user_id')
    expect(error?.code ?? data).toBe('42501')
  })
})
