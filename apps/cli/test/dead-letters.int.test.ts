import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { acceptedEvent, writeEvents, writeUsageJob } from '@tollgate/shared/contracts'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from './run-cli.ts'
import { usageEvent } from './usage-event.ts'

let database: TestDatabase
let admin: pg.Client

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await database.drop()
})

const LETTERS = [
  ['usage-events', 'not_recordable', '{"type":"usage.recorded","id":"a"}'],
  [
    'usage-events',
    'job_failed',
    '{"v":1,"events":[{"type":"usage.recorded","id":"b"},{"type":"usage.recorded","id":"c"}]}',
  ],
  ['event-inbox', 'not_recordable', '[{"type":"usage.recorded","id":"d"}]'],
  ['usage-events', 'job_failed', '{"odd":"\\u0000"}'],
]

beforeEach(async () => {
  await admin.query('truncate tollgate.dead_letters, tollgate.event_inbox restart identity')
  for (const letter of LETTERS) {
    await admin.query(
      `insert into tollgate.dead_letters (queue, reason, detail, payload) values ($1, $2, 'why', $3)`,
      letter,
    )
  }
})

const run = (...args: string[]) => runCli(['dead-letters', ...args], database)
const keptIds = async () =>
  (await admin.query('select id from tollgate.dead_letters order by id')).rows.map((r) => r.id)
const parkedIds = async () =>
  (
    await admin.query(
      `select events -> 0 ->> 'id' as id, jsonb_array_length(events) as n from tollgate.event_inbox order by id`,
    )
  ).rows

describe('tollgate dead-letters', () => {
  it('lists them, newest first, with what they hold', async () => {
    const listed = await run('list', '--json')
    expect(listed.code).toBe(0)
    expect(listed.json()).toMatchObject([
      { id: '4', events: null },
      { id: '3', events: 1, queue: 'event-inbox' },
      { id: '2', events: 2, reason: 'job_failed' },
      { id: '1', events: 1, detail: 'why' },
    ])
    expect((await run('list', '--reason', 'job_failed', '--limit', '1')).stdout.split('\n')).toHaveLength(3)
  })

  it('replays them as one inbox row an event, and keeps what holds no events', async () => {
    const replayed = await run('replay', '--all', '--json')
    expect(replayed.code).toBe(1)
    expect(replayed.json()).toEqual({ replayed: 3, events: 4, unreadable: ['4'] })
    expect(await parkedIds()).toEqual(['a', 'b', 'c', 'd'].map((id) => ({ id, n: 1 })))
    expect(await keptIds()).toEqual(['4'])
  })

  it('replays usage that is written as rows, event by event, and keeps a job of which a row is none', async () => {
    const sent = [usageEvent('a', { session_id: 'x, "y" \\' }), usageEvent('b', { provider: 'openai' })]
    const job = writeUsageJob(writeEvents(sent.map((event) => acceptedEvent.parse(event))))
    expect(job).toContain('"rows"')
    await admin.query('truncate tollgate.dead_letters')
    await admin.query(
      `insert into tollgate.dead_letters (queue, reason, payload) values ('usage-events', 'job_failed', $1), ('usage-events', 'job_failed', $2)`,
      [job, job.replace(/,\d{4}-\d\d-/, ',2026-99-')],
    )
    expect((await run('list', '--json')).json()).toMatchObject([{ events: null }, { events: 2 }])
    expect((await run('replay', '--all', '--json')).json()).toMatchObject({ replayed: 1, events: 2 })
    const { rows } = await admin.query('select events -> 0 as event from tollgate.event_inbox order by id')
    const atOnce = ({ time, received_at, ...event }: Record<string, unknown>) => {
      return { ...event, time: Date.parse(String(time)), received_at: Date.parse(String(received_at)) }
    }
    expect(rows.map(({ event }) => atOnce(event))).toEqual(sent.map(atOnce))
  })

  it('replays by id, drops by queue, and does neither without a choice', async () => {
    expect((await run('replay', '1')).code).toBe(0)
    expect((await run('drop', '--queue', 'event-inbox', '--json')).json()).toEqual({ dropped: 1 })
    expect(await keptIds()).toEqual(['2', '4'])
    expect(await run('drop')).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') })
    expect(await run('drop', 'one')).toMatchObject({ code: 2 })
    expect(await run('wrong')).toMatchObject({ code: 2 })
    expect(await keptIds()).toEqual(['2', '4'])
  })

  it('says when the database is away', async () => {
    const away = await runCli(['dead-letters', 'list'], { databaseUrl: 'postgres://nobody@127.0.0.1:9/none' })
    expect(away).toMatchObject({ code: 3, stderr: expect.stringContaining('does not answer') })
  })
})
