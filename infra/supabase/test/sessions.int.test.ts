import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventOf, ORGANIZATIONS } from './usage-fixture.ts'

// Chat sessions as accounting objects. All times are relative to now: what is idle depends on the database's clock.
const [organization_id] = ORGANIZATIONS
const IDLE_SECONDS = 1_800
const now = Date.now()
const user_id = eventOf(1, now).user_id
const before = (minutes: number): string => new Date(now - minutes * 60_000).toISOString()

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
beforeEach(emptyTables)

async function emptyTables(): Promise<void> {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals,
    tollgate.login_sessions, tollgate.quota_decisions`)
}

let keys = 0
const usage = (minutes: number, session_id = 'c'): object => ({
  ...eventOf(++keys, now),
  organization_id,
  user_id,
  session_id,
  time: before(minutes),
})
const said = (type: 'session.started' | 'session.ended', minutes: number, session_id = 'c'): object => ({
  type,
  organization_id,
  user_id,
  session_id,
  source: 's',
  id: `${type} ${minutes}`,
  time: before(minutes),
  received_at: before(0),
  member: true,
  ...(type === 'session.ended' ? { reason: 'left' } : {}),
})

const ingest = (...events: object[]) => worker.query('select from public.ingest_usage(batch => $1)', [{ events }])

async function close(client = worker, maxRows = 100): Promise<Record<string, number>> {
  const { rows } = await client.query('select * from public.close_sessions($1, $2)', [IDLE_SECONDS, maxRows])
  return Object.fromEntries(rows.map(({ reason, sessions }) => [reason, sessions]))
}

async function session(id = 'c') {
  const { rows } = await admin.query(
    'select status, end_reason, ended_at, started_at from public.chat_sessions where librechat_session_id = $1',
    [id],
  )
  return rows[0]
}

const login = (startedBefore: number, endedBefore: number | null, reason = 'logout') =>
  admin.query(
    `insert into tollgate.login_sessions (id, organization_id, user_id, started_at, expires_at, ended_at, end_reason)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      randomUUID(),
      organization_id,
      user_id,
      before(startedBefore),
      before(-600),
      endedBefore === null ? null : before(endedBefore),
      endedBefore === null ? null : reason,
    ],
  )

describe('a chat session', () => {
  it('is active, idle after half an hour, and active again with the next call', async () => {
    await ingest(usage(60))
    expect((await session()).status).toBe('active')
    expect(await close()).toEqual({ idle: 1 })
    expect(await session()).toMatchObject({ status: 'idle', end_reason: 'idle', ended_at: new Date(before(30)) })
    expect(await close()).toEqual({})
    await ingest(usage(5))
    expect(await session()).toMatchObject({ status: 'active', end_reason: null, ended_at: null })
    expect(await close()).toEqual({})
  })

  it('is closed exactly once, however many closers there are, though one of them is killed', async () => {
    await ingest(...Array.from({ length: 300 }, (_, index) => usage(60, `s${index}`)))
    const killed = new pg.Client(database.urls['usage-worker'])
    killed.on('error', () => undefined)
    await killed.connect()
    await killed.query('begin')
    expect(await close(killed, 50)).toEqual({ idle: 50 })
    const others = Array.from({ length: 3 }, () => new pg.Client(database.urls['usage-worker']))
    await Promise.all(others.map((client) => client.connect()))
    const closeAll = async (client: pg.Client): Promise<number> => {
      const { idle = 0 } = await close(client, 40)
      return idle === 0 ? 0 : idle + (await closeAll(client))
    }
    const counts = await Promise.all(others.map(closeAll))
    expect(counts.reduce((sum, count) => sum + count)).toBe(250)
    const { rows } = await killed.query('select pg_backend_pid() as pid')
    await admin.query('select pg_terminate_backend($1, 5000)', [rows[0].pid])
    expect(await close()).toEqual({ idle: 50 })
    const { rows: left } = await admin.query(`select status, count(*)::int from public.chat_sessions group by status`)
    expect(left).toEqual([{ status: 'idle', count: 300 }])
    await Promise.all(others.map((client) => client.end()))
  })

  it('ends with the last login of its user, not with one of several, nor with one that merely ran out', async () => {
    await ingest(usage(10))
    await login(100, 8, 'expired')
    await login(100, 5)
    await login(100, null)
    expect(await close()).toEqual({})
    await admin.query(
      `update tollgate.login_sessions set ended_at = $1, end_reason = 'logout' where ended_at is null`,
      [before(2)],
    )
    expect(await close()).toEqual({ logout: 1 })
    expect(await session()).toMatchObject({ status: 'ended', end_reason: 'logout', ended_at: new Date(before(2)) })
  })

  it('ends when its organization is revoked; what still streams is counted and opens it again', async () => {
    await ingest(usage(10))
    await admin.query(
      `insert into tollgate.quota_decisions (organization_id, decided_at, from_state, to_state, version, reason, actor, inputs)
       values ($1, $2, 'active', 'revoked', 1, 'test', 'test', '{}')`,
      [organization_id, before(5)],
    )
    expect(await close()).toEqual({ organization_revoked: 1 })
    expect(await session()).toMatchObject({ status: 'ended', end_reason: 'organization_revoked' })
    await ingest(usage(4))
    expect((await session()).status).toBe('active')
  })

  it('ends up the same in whatever order its events come, and whenever the closer runs in between', async () => {
    await login(200, 85)
    const story = [
      said('session.started', 120),
      usage(119),
      said('session.ended', 110),
      usage(100),
      usage(90),
      said('session.started', 40, 'd'),
      usage(45, 'd'),
      usage(200, 'e'),
    ]
    const ends: unknown[] = []
    const order = fc.shuffledSubarray(story, { minLength: story.length })
    await fc.assert(
      fc.asyncProperty(order, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), async (events, closes) => {
        await admin.query('truncate tollgate.usage_event_identities, public.chat_sessions')
        for (const [index, event] of events.entries()) {
          await ingest(event)
          if (closes[index]) await close()
        }
        await close()
        const { rows } = await admin.query(`select to_jsonb(s) - 'closed_at' - 'close_reason' as row
          from public.chat_sessions s order by librechat_session_id`)
        ends.push(rows.map(({ row }) => row))
        expect(ends.at(-1)).toEqual(ends[0])
      }),
      { numRuns: 12 },
    )
    expect(ends[0]).toMatchObject([
      { librechat_session_id: 'c', status: 'ended', end_reason: 'logout' },
      { librechat_session_id: 'd', status: 'idle', end_reason: 'idle' },
      { librechat_session_id: 'e', status: 'idle', end_reason: 'idle' },
    ])
  })

  it('counts among the open ones of a moment from its start to its end, in whatever order they came', async () => {
    await ingest(said('session.ended', 20), said('session.started', 80, 'd'))
    await ingest(said('session.started', 100), usage(110, 'd'), usage(60, 'e'))
    await close()
    const open = async (minutes: number) => {
      const query = { organization_id, at: before(minutes) }
      return (await admin.query('select open from public.count_open_sessions($1)', [query])).rows[0].open
    }
    // c: 100–20, d: 110–80 and idle until 50, e: 60 and idle until 30
    const found: number[] = []
    for (const minutes of [111, 105, 90, 55, 40, 25, 10]) found.push(await open(minutes))
    expect(found).toEqual([0, 1, 2, 3, 2, 1, 0])
  })

  it('that another login keeps open never takes the place of one that can be closed', async () => {
    const start = (user: string, ended: number | null) =>
      admin.query(
        `insert into tollgate.login_sessions (id, organization_id, user_id, started_at, expires_at, ended_at, end_reason)
         values ($1, $2, $3, $4, $5, $6, $7)`,
        [
          randomUUID(),
          organization_id,
          user,
          before(60),
          before(-600),
          ...(ended ? [before(ended), 'logout'] : [null, null]),
        ],
      )
    const other = '00000000-0000-4000-8000-0000000000ff'
    await ingest(...['a', 'b', 'c'].map((id) => usage(5, id)))
    await ingest({ ...usage(5, 'd'), user_id: other })
    await start(user_id, 2)
    await start(user_id, null)
    await start(other, 1)
    expect(await close(worker, 1)).toEqual({ logout: 1 })
    expect(await session('d')).toMatchObject({ status: 'ended', end_reason: 'logout' })
  })
})
