import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventOf, ORGANIZATIONS, type UsageEvent } from './usage-fixture.ts'

// What a ledger entry is stamped with when it is recorded, beside the counts.
const [organization_id] = ORGANIZATIONS
const received_at = '2026-11-20T12:00:00.000Z'
const arrivedMs = Date.parse(received_at)
const DAY_MS = 86_400_000

let database: TestDatabase
let admin: pg.Client
let worker: pg.Client

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  worker = new pg.Client(database.urls['usage-worker'])
  await Promise.all([admin.connect(), worker.connect()])
})
afterAll(async () => {
  await Promise.all([admin.end(), worker.end()])
  await database.drop()
})
beforeEach(async () => {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals, tollgate.organization_settings,
    tollgate.quota_decisions`)
  await admin.query(`delete from tollgate.model_prices where origin = 'operator'`)
})

const usage = (key: number, change: Partial<UsageEvent> = {}): UsageEvent => ({
  ...eventOf(key, arrivedMs),
  organization_id,
  model: 'gpt-4o',
  time: received_at,
  ...change,
})

async function ingest(...events: object[]): Promise<{ i: number; reason?: string }[]> {
  const { rows } = await worker.query('select outcomes from public.ingest_usage(batch => $1)', [{ events }])
  return rows[0].outcomes
}

const counts = { cache_read_input_tokens: 0, cache_creation_input_tokens: 0, message_count: 1 }

describe('a ledger entry', () => {
  it('is taken up to 35 days late and 5 minutes early, and rejected with the reason beyond', async () => {
    const at = (ms: number) => new Date(arrivedMs + ms).toISOString()
    const outcomes = await ingest(
      usage(1, { time: at(-35 * DAY_MS) }),
      usage(2, { time: at(-35 * DAY_MS - 1) }),
      usage(3, { time: at(300_000) }),
      usage(4, { time: at(300_001) }),
      { ...usage(5, { time: at(-400 * DAY_MS) }), imported: true },
    )
    expect(outcomes.map(({ i, reason }) => [i, reason])).toEqual([
      [1, 'too_late'],
      [3, 'too_early'],
    ])
    const { rows } = await admin.query(
      `select usage_date::text as day, imported from tollgate.usage_events order by time`,
    )
    expect(rows).toEqual([
      { day: '2025-10-16', imported: true },
      { day: '2026-10-16', imported: false },
      { day: '2026-11-20', imported: false },
    ])
  })

  it('has the price that one call of its provider, model, time and counts has, under whatever name', async () => {
    await admin.query(`insert into tollgate.model_prices
      (provider, model, origin, input_usd_per_mtok, output_usd_per_mtok, valid_to) values
      ('openai', 'gpt-4o', 'operator', 1, 2, '2026-11-20T11:00:00Z'), ('bedrock', 'gpt-4o', 'operator', 3, 4, 'infinity')`)
    const { rows: aliases } = await admin.query(
      `select provider, alias || case when is_prefix then '-x' else '' end as model from tollgate.model_aliases
       order by md5(alias) limit 40`,
    )
    const { rows: priced } = await admin.query(
      'select distinct provider, model from tollgate.model_prices order by provider, model limit 40',
    )
    const odd = ['gemini', 'gcp.vertex_ai', 'bedrock', 'OpenAI', 'xai', 'nobody', null].flatMap((provider) =>
      ['gpt-4o', 'gpt-4o-2024-08-06', 'gemini-2.5-pro', 'grok-4', 'unknown'].map((model) => ({ provider, model })),
    )
    const names = [...aliases, ...priced, ...odd].flatMap(({ provider, model }) => [
      { provider, model },
      { provider: null, model },
    ])
    const times = ['2026-11-20T10:00:00.000Z', received_at]
    const events = names.flatMap(({ provider, model }, at) =>
      times.map((time, later) => ({
        ...usage(2 * at + later),
        model,
        time,
        ...(provider === null ? {} : { provider }),
      })),
    )
    await ingest(...events)
    const { rows } =
      await admin.query(`select e.provider, e.model, e.price_id, e.cost_usd, p.price_id as one_id, p.cost_usd as one
      from tollgate.usage_events e left join lateral tollgate.price_call(e.provider, e.model, e.time, e.input_tokens,
        e.output_tokens, e.cache_read_input_tokens, e.cache_creation_input_tokens, e.reasoning_output_tokens) p on true`)
    expect(rows).toHaveLength(events.length)
    expect(rows.filter((row) => row.price_id !== row.one_id || row.cost_usd !== row.one)).toEqual([])
    expect(rows.filter((row) => row.price_id === null).length).toBeGreaterThan(10)
    expect(rows.filter((row) => row.price_id !== null).length).toBeGreaterThan(200)
  })

  it("charges the organization's markup, else its plan's, rounded once and half up; unpriced stays unknown", async () => {
    await admin.query(`insert into tollgate.model_prices
      (provider, model, origin, input_usd_per_mtok, output_usd_per_mtok) values ('openai', 'gpt-4o', 'operator', 0.000001, 0)`)
    await admin.query('insert into tollgate.organization_settings (organization_id, markup_percent) values ($1, 50)', [
      organization_id,
    ])
    const one = { ...counts, input_tokens: 1, output_tokens: 0, reasoning_output_tokens: 0 }
    await ingest(usage(1, one), usage(2, { ...one, input_tokens: 3 }), usage(3, { ...one, model: 'unknown' }))
    const { rows } = await admin.query(`select cost_usd, charge_usd, unpriced_events from tollgate.usage_events
      order by unpriced_events, input_tokens`)
    expect(rows).toEqual([
      { cost_usd: '0.000000000001', charge_usd: '0.000000000002', unpriced_events: 0 },
      { cost_usd: '0.000000000003', charge_usd: '0.000000000005', unpriced_events: 0 },
      { cost_usd: null, charge_usd: null, unpriced_events: 1 },
    ])
    const sums = await admin.query(`select
      (select sum(charge_usd) from public.usage_metrics) as days, (select sum(charge_usd) from tollgate.usage_by_model) as models,
      (select sum(charge_usd) from public.chat_sessions) as sessions, (select sum(charge_usd) from tollgate.period_totals) as periods`)
    const charge = '0.000000000007'
    expect(sums.rows).toEqual([{ days: charge, models: charge, sessions: charge, periods: charge }])
  })

  it('is billed with the markup of the plan where the organization has none of its own', async () => {
    await admin.query(
      `insert into public.organizations (id, name, domain, plan_type) values ($1, 'O', 'o', 'starter')`,
      [organization_id],
    )
    await admin.query(`update tollgate.plans set markup_percent = 10 where plan_type = 'starter'`)
    try {
      await ingest(usage(1))
      const { rows } = await admin.query('select charge_usd = cost_usd * 1.1 as marked_up from tollgate.usage_events')
      expect(rows).toEqual([{ marked_up: true }])
    } finally {
      await admin.query('update tollgate.plans set markup_percent = null')
      await admin.query('delete from public.organizations where id = $1', [organization_id])
    }
  })

  it('prices reasoning apart and long contexts by the highest tier reached, as of the time of the event', async () => {
    await admin.query(`insert into tollgate.model_prices (provider, model, origin, valid_from, valid_to, min_input_tokens,
        input_usd_per_mtok, output_usd_per_mtok, reasoning_usd_per_mtok) values
      ('openai', 'gpt-4o', 'operator', '-infinity', '2026-11-01', 0, 1, 10, null),
      ('openai', 'gpt-4o', 'operator', '2026-11-01', 'infinity', 0, 2, 20, 30),
      ('openai', 'gpt-4o', 'operator', '2026-11-01', 'infinity', 1000, 4, 40, null)`)
    const call = { ...counts, input_tokens: 999, output_tokens: 100, reasoning_output_tokens: 40 }
    await ingest(
      usage(1, { ...call, time: '2026-10-31T23:59:59.999Z' }),
      usage(2, { ...call, time: '2026-11-01T00:00:00Z' }),
      usage(3, { ...call, time: '2026-11-02T00:00:00Z', input_tokens: 1_000 }),
    )
    const { rows } =
      await admin.query(`select trim_scale(e.cost_usd * 1000000)::text as cost, e.price_id = p.id as stamped
      from tollgate.usage_events e join tollgate.model_prices p on p.id = e.price_id and p.origin = 'operator' order by e.time`)
    expect(rows).toEqual([
      { cost: String(999 + 100 * 10), stamped: true },
      { cost: String(999 * 2 + 60 * 20 + 40 * 30), stamped: true },
      { cost: String(1_000 * 4 + 100 * 40), stamped: true },
    ])
  })

  it('is kept, attributed and flagged when the call was made while the organization was revoked', async () => {
    const decide = (state: string, at: string) =>
      admin.query(
        `insert into tollgate.quota_decisions (organization_id, decided_at, from_state, to_state, version, reason, actor, inputs)
         values ($1, $2, 'active', $3, 1, 'test', 'test', '{}')`,
        [organization_id, at, state],
      )
    await decide('revoked', '2026-11-20T10:00:00Z')
    await decide('active', '2026-11-20T11:00:00Z')
    await ingest(
      usage(1, { time: '2026-11-20T09:59:59Z' }),
      usage(2, { time: '2026-11-20T10:00:01Z' }),
      usage(3, { time: '2026-11-20T11:00:01Z' }),
    )
    const { rows } = await admin.query(
      `select after_revocation, total_tokens > 0 as counted from tollgate.usage_events order by time`,
    )
    expect(rows.map((row) => row.after_revocation)).toEqual([false, true, false])
    const { rows: days } = await admin.query('select sum(event_count)::int as events from public.usage_metrics')
    expect(days).toEqual([{ events: 3 }])
  })

  it('is not flagged once the revocation has lapsed with its period, whether or not anybody has decided by then', async () => {
    const decide = (state: string, at: string, effective: string | null = null) =>
      admin.query(
        `insert into tollgate.quota_decisions (
           organization_id, decided_at, effective_at, from_state, to_state, version, reason, actor, inputs)
         values ($1, $2, $3, 'active', $4, 1, 'test', 'test', '{}')`,
        [organization_id, at, effective, state],
      )
    const flags = async (...times: string[]) => {
      await admin.query('truncate tollgate.usage_event_identities, tollgate.usage_events')
      await ingest(...times.map((time, index) => usage(index, { time })))
      const { rows } = await admin.query('select after_revocation from tollgate.usage_events order by time')
      return rows.map((row) => row.after_revocation)
    }
    const lapse = (lapses: boolean) =>
      admin.query(
        `insert into tollgate.enforcement_states (organization_id, state, period_start, period_end, inputs_key, lapses)
         values ($1, 'revoked', '2026-10-20T11:00:00Z', '2026-11-20T11:00:00Z', 'x', $2)
         on conflict (organization_id) do update set lapses = $2`,
        [organization_id, lapses],
      )
    const [within, gap, late] = ['2026-11-20T10:30:00Z', '2026-11-20T11:30:00Z', '2026-11-20T11:50:00Z']
    await decide('revoked', '2026-11-20T10:00:00Z')
    await lapse(false)
    expect(await flags(within, gap)).toEqual([true, true])
    await lapse(true)
    expect(await flags(within, gap)).toEqual([true, false])
    // Decided too late; and then the next revocation, of the period that is.
    await decide('active', '2026-11-20T11:45:00Z', '2026-11-20T11:00:00Z')
    await decide('revoked', '2026-11-20T11:45:00Z')
    await lapse(false)
    expect(await flags(within, gap, late)).toEqual([true, false, true])
    // One that came into force a moment after its period was over takes nothing away, and spoils nothing.
    await admin.query('truncate tollgate.quota_decisions')
    await decide('revoked', '2026-11-20T11:00:00.005Z')
    await lapse(true)
    expect(await flags(within, gap)).toEqual([false, false])
    await decide('active', '2026-11-20T11:45:00Z', '2026-11-20T11:00:00Z')
    expect(await flags(within, gap)).toEqual([false, false])
    await admin.query('delete from tollgate.enforcement_states where organization_id = $1', [organization_id])
  })
})
