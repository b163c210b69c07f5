import type { SupabaseClient } from '@supabase/supabase-js'
import { DEFAULT_QUOTA_POLICY } from '@tollgate/shared/contracts'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { A, dayOf, openReports, type Person, type ReportsFixture, type Row, SPAN } from './reports-fixture.ts'

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

async function ledgerTokens(where: string): Promise<bigint> {
  const { rows } = await sql.query(
    `select coalesce(sum(total_tokens), 0)::text as n from tollgate.usage_events where ${where}`,
  )
  return BigInt(rows[0].n)
}

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

describe('report_quota', () => {
  it('shows members the position of their organization, and the steps of its ladder', async () => {
    await sql.query(
      `insert into tollgate.quota_policies (organization_id, max_tokens, updated_by) values ($1, 1000000, 'test')`,
      [A],
    )
    const [row] = await report('user', 'report_quota', { organization_id: A })
    const { rows } = await sql.query('select * from public.load_quota_position($1)', [A])
    expect(row).toMatchObject({ name: 'A', used_tokens: rows[0].used_tokens, limit_tokens: '1000000', state: 'active' })
    const expected = DEFAULT_QUOTA_POLICY.steps.map(({ at_percent, state }) => ({
      ...{ at_tokens: String(at_percent * 10_000), at_usd: null, mode: 'hard', grace_seconds: 0 },
      state,
    }))
    expect(row?.steps).toEqual(expected)
  })

  it('shows how the policy is configured to whoever sees the whole organization', async () => {
    const policy = { steps: [{ at_usd: '5', state: 'warned' }], downgrade_to: {} }
    await sql.query('update tollgate.quota_policies set policy = $2 where organization_id = $1', [A, policy])
    const seenBy = async (person: Person) => (await report(person, 'report_quota', { organization_id: A }))[0]?.policy
    expect(await seenBy('admin')).toEqual(policy)
    expect(await seenBy('superAdmin')).toEqual(policy)
    expect(await seenBy('user')).toBeNull()
  })

  it('tells each step as the enforcer looks at it: of both limits, above what was granted, none of a limit that is null', async () => {
    const steps = [
      { at_usd: '5.5', state: 'warned' },
      { at_tokens: 100, state: 'downgraded', mode: 'soft' },
      { at_percent: 33, state: 'revoked', grace_seconds: 60 },
    ]
    const told = async (cap: object, limit: number | null) => {
      const policy = { steps, downgrade_to: {}, ...cap }
      const { rows } = await sql.query('select tollgate.report_steps($1, $2, 7) as steps', [policy, limit])
      return (rows[0].steps as Row[]).map((row) => [row.at_tokens, row.at_usd, row.state, row.mode, row.grace_seconds])
    }
    const tokens = [
      ['107', null, 'downgraded', 'soft', 0],
      ['331', null, 'revoked', 'hard', 60],
    ]
    const dollars = [null, '5.5', 'warned', 'hard', 0]
    expect(await told({}, 1_001)).toEqual([...tokens, dollars])
    expect(await told({ max_cost_usd: null }, 1_001)).toEqual(tokens)
    expect(await told({ max_cost_usd: '10' }, null)).toEqual([[null, '3.3', 'revoked', 'hard', 60], dollars])
    const smallest = [null, '0.000000000001', 'revoked', 'hard', 60]
    expect(await told({ max_cost_usd: '0.000000000001' }, 1_001)).toEqual([...tokens, smallest, dollars])
  })

  it('shows another organization only to super_admin', async () => {
    expect(await report('stranger', 'report_quota', { organization_id: A })).toEqual([])
    expect(await report('superAdmin', 'report_quota', { organization_id: A })).toHaveLength(1)
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

describe('report_user_limits', () => {
  it('is for the admin of the organization and super_admin: what each used in the period, and the own limit', async () => {
    await sql.query(
      `insert into tollgate.user_quotas (organization_id, user_id, max_tokens, updated_by) values ($1, $2, 5000, 'test')`,
      [A, ids.user],
    )
    const rows = await report('admin', 'report_user_limits', { organization_id: A })
    expect(Object.fromEntries(rows.map((row) => [row.user_name, row.limit_tokens]))).toEqual({
      'admin@example.com': null,
      'The user': '5000',
    })
    const used = (id: string) =>
      ledgerTokens(`user_id = '${id}' and usage_date >= date_trunc('month', now() at time zone 'UTC')::date`)
    for (const row of rows) expect(row.used_tokens).toBe(String(await used(row.user_id ?? '')))
    const [first] = await report('superAdmin', 'report_user_limits', { organization_id: A, limit: 1 })
    const [second] = await report('superAdmin', 'report_user_limits', { organization_id: A, after: first?.cursor })
    expect([first?.user_id, second?.user_id].toSorted()).toEqual([ids.admin, ids.user].toSorted())
    for (const person of ['user', 'stranger'] as const) {
      expect(await report(person, 'report_user_limits', { organization_id: A })).toEqual([])
    }
  })
})

describe('report_decisions', () => {
  it('is for the admin of the organization and super_admin, newest first, in pages', async () => {
    await sql.query(
      `insert into tollgate.quota_decisions (organization_id, from_state, to_state, version, reason, actor, inputs)
       select $1, 'active', 'warned', 0, 'step ' || n, 'enforcer', '{}' from generate_series(1, 3) n`,
      [A],
    )
    const [first] = await report('admin', 'report_decisions', { organization_id: A, limit: 1 })
    expect(first).toMatchObject({ reason: 'step 3', to_state: 'warned' })
    const rest = await report('superAdmin', 'report_decisions', { organization_id: A, after: first?.cursor })
    expect(rest.map((row) => row.reason)).toEqual(['step 2', 'step 1'])
    for (const person of ['user', 'stranger'] as const) {
      expect(await report(person, 'report_decisions', { organization_id: A })).toEqual([])
    }
  })
})

it('report_me says who is signed in', async () => {
  const { data } = await clients.user.rpc('report_me')
  expect(data).toMatchObject([{ user_id: ids.user, role: 'user', organization_id: A, organization_name: 'A' }])
})

it.each([
  ...['report_usage', 'report_summary', 'report_sessions', 'report_me'],
  ...['report_quota', 'report_organizations', 'report_decisions', 'report_user_limits', 'report_webhook_deliveries'],
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
