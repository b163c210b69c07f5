import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { correctionOf, eventOf, ORGANIZATIONS, type UsageEvent } from './usage-fixture.ts'

// What operators do to the books while usage is being recorded.
const [organization_id] = ORGANIZATIONS
const user_id = '00000000-0000-4000-8000-0000000000a1'
const now = Date.now()
let database: TestDatabase
let admin: pg.Client
let worker: pg.Client

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  worker = new pg.Client(database.databaseUrl)
  await Promise.all([admin.connect(), worker.connect()])
  await admin.query(`insert into public.organizations (id, name, domain) values ($1, 'A', 'a')`, [organization_id])
})
afterAll(async () => {
  await Promise.all([admin.end(), worker.end()])
  await database.drop()
})
beforeEach(async () => {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals,
    tollgate.pending_corrections, tollgate.period_statements, tollgate.event_inbox, tollgate.reservations`)
})

const usage = (key: number, change: Partial<UsageEvent> & { imported?: boolean } = {}) => ({
  ...eventOf(key, now),
  organization_id,
  user_id,
  ...change,
})
const ingest = (events: object[], client = admin) => client.query('select * from public.ingest_usage($1)', [{ events }])
const close = (at: string) =>
  worker.query('select outcome, used_tokens from public.close_period($1)', [{ organization_id, at, closed_by: 'test' }])
const isWaiting = async (): Promise<number> => {
  const { rows } = await admin.query(`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'`)
  return rows[0].n
}

describe('the books', () => {
  it('close a period whose total is off while usage of it is being recorded', async () => {
    const time = new Date(now - 70 * 86_400_000).toISOString()
    await ingest([usage(1, { time, imported: true })])
    await admin.query('update tollgate.period_totals set used_tokens = used_tokens + 1')
    await admin.query('begin')
    // As ingest_usage begins; the closing gets in between.
    await admin.query(`select pg_advisory_xact_lock_shared(hashtext('tollgate.periods'))`)
    const closing = close(time)
    await expect.poll(isWaiting, { timeout: 20_000 }).toBe(1)
    await ingest([usage(2, { time, imported: true })])
    await admin.query('commit')
    const tokens = [usage(1), usage(2)].reduce((sum, e) => sum + e.input_tokens + e.output_tokens, 0)
    expect((await closing).rows).toEqual([{ outcome: 'closed', used_tokens: String(tokens) }])
  })

  it('are not closed within a minute of a period: a transaction that began before its end still counts on it', async () => {
    const outcomeAfter = async (seconds: number) => {
      await worker.query('begin')
      await worker.query('alter function tollgate.organization_period rename to organization_period_away')
      await worker.query(`create function tollgate.organization_period(uuid, timestamptz default now())
        returns table (time_zone text, anchor_day integer, period_start timestamptz, period_end timestamptz) language sql
        as $$ select 'UTC', 1, now() - interval '30 days', now() - interval '${seconds} seconds' $$`)
      const { rows } = await close(new Date(now).toISOString())
      await worker.query('rollback')
      return rows[0].outcome
    }
    expect(await outcomeAfter(50)).toBe('not_over')
    expect(await outcomeAfter(70)).toBe('no_usage')
  })

  it('take an import while a correction holds one of its identities', async () => {
    const known = usage(1, { time: new Date(now - 60_000).toISOString() })
    const fresh = { ...known, id: 'fresh' }
    await ingest([known])
    await admin.query('begin')
    await admin.query('select from tollgate.usage_event_identities for update')
    const importing = worker.query('select * from public.import_usage($1)', [{ events: [known, fresh] }])
    await expect.poll(isWaiting, { timeout: 20_000 }).toBe(1)
    await admin.query('update public.usage_metrics set updated_at = now()')
    await admin.query('commit')
    expect((await importing).rows).toMatchObject([{ recorded: 1, duplicates: 1 }])
    const { rows } = await admin.query('select count(*)::int as n from tollgate.usage_event_identities where imported')
    expect(rows).toEqual([{ n: 2 }])
  })

  it('erase a person from what waits in the inbox and from open holds, too', async () => {
    const event = { ...usage(1), message_id: 'm' }
    await admin.query('select public.park_events($1)', [{ events: [event] }])
    await admin.query(
      `insert into tollgate.reservations (id, organization_id, user_id, session_id, total_tokens, expires_at)
       values ($1, $2, $3, 's', 5, now() + interval '1 hour')`,
      [randomUUID(), organization_id, user_id],
    )
    await admin.query('select public.erase_user($1)', [{ user_id, actor: 'test' }])
    await worker.query('select public.drain_inbox(10)')
    const { rows } = await admin.query(
      `select e.user_id <> $1 and r.user_id = e.user_id as is_gone, e.session_id = $2 as has_session, e.message_id,
        e.total_tokens::int as tokens
       from tollgate.usage_events e, tollgate.reservations r`,
      [user_id, event.session_id],
    )
    const tokens = event.input_tokens + event.output_tokens
    expect(rows).toEqual([{ is_gone: true, has_session: false, message_id: null, tokens }])
  })

  it("let nobody find an erased person's opening balances again by user and day", async () => {
    await admin.query(
      `insert into public.usage_metrics (organization_id, user_id, date, tokens_used)
       values ($1, $2, (now() - interval '20 days')::date, 500)`,
      [organization_id, user_id],
    )
    await admin.query('select tollgate.post_opening_balances(organization_id, date) from public.usage_metrics')
    const guess = `select from tollgate.usage_event_identities i, public.usage_metrics m
      where i.digest = tollgate.identity_digest('tollgate', format('opening-balance:%s:%s', $1::uuid, m.date))`
    expect((await admin.query(guess, [user_id])).rowCount).toBe(1)
    await admin.query('select public.erase_user($1)', [{ user_id, actor: 'test' }])
    expect((await admin.query(guess, [user_id])).rowCount).toBe(0)
    const { rows } =
      await admin.query(`select e.event_id = encode(i.digest, 'hex') as renamed, i.counts_digest = i.digest as sent
      from tollgate.usage_events e join tollgate.usage_event_identities i using (organization_id, digest)`)
    expect(rows).toEqual([{ renamed: true, sent: true }])
  })

  it('are not erased from under what is being recorded', async () => {
    await admin.query('begin')
    await ingest([usage(1)])
    const erasing = worker.query('select public.erase_user($1)', [{ user_id, actor: 'test' }])
    await expect.poll(isWaiting, { timeout: 20_000 }).toBe(1)
    await admin.query('commit')
    await erasing
    expect((await admin.query('select from tollgate.usage_events where user_id = $1', [user_id])).rowCount).toBe(0)
  })

  it('name a correction that brought no news, also when one that waited was applied', async () => {
    const of = (key: number) => eventOf(key, now)
    await ingest([correctionOf(1, 1, now)])
    await ingest([of(2), correctionOf(2, 2, now)])
    const { rows } = await ingest([of(1), correctionOf(2, 1, now)])
    expect(rows[0].outcomes).toMatchObject([{ i: 1, outcome: 'duplicate' }])
  })

  it("report a day's last hours by the hour, whatever the session's time zone", async () => {
    const day = (daysAgo: number) => new Date(now - daysAgo * 86_400_000).toISOString().slice(0, 10)
    await ingest([usage(1, { time: `${day(2)}T23:30:00Z` })])
    await admin.query('begin')
    await admin.query(`set local timezone = 'Pacific/Kiritimati'`)
    const { rows } = await admin.query(
      'select * from tollgate.sum_usage_by_hour(jsonb_populate_record(null::tollgate.usage_report_query, $1))',
      [{ organization_id, start_date: day(2), end_date: day(1), by_model: false, by_user: false }],
    )
    await admin.query('rollback')
    expect(rows).toHaveLength(1)
  })
})
