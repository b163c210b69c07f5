import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from './run-cli.ts'

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
