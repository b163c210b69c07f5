import { queueAddresses, readBacklog } from '@tollgate/shared/queues'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, usageEvent } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'
import { startWorker, type TestWorker } from './support/worker.ts'

const LIMIT = 500

interface Body {
  accepted?: number
  recorded?: number
  reason?: string
}

let bench: Bench
let onPostgres: TestApi
let key: string
let organization: string
let user: string
let worker: TestWorker | undefined
beforeAll(async () => {
  bench = await openBench({ env: { MAX_BACKLOG_EVENTS: String(LIMIT) } })
  onPostgres = await startApi({ ...bench.env, ACCEPT_ON: 'postgres' })
  organization = await addOrganization(bench.db)
  user = await addUser(bench.db, organization)
  key = await addKey(bench.db, ['events:write'])
})
afterEach(async () => {
  await worker?.stop()
  worker = undefined
  await bench.db.query('truncate tollgate.event_inbox')
})
afterAll(async () => {
  await onPostgres.stop()
  await bench.stop()
})

const post = (count: number, { url = bench.api.url, headers = {} } = {}) =>
  call<Body>(url, '/v1/events', {
    method: 'POST',
    token: key,
    json: Array.from({ length: count }, () => usageEvent(organization, user)),
    headers,
  })
const work = () => {
  worker = startWorker(bench.env.REDIS_URL ?? '', bench.workerUrl)
}

async function jobsWaiting(): Promise<number> {
  const { waiting, active } = await readBacklog(bench.redis, queueAddresses('usage-events', 4), Date.now)
  return waiting + active
}
const inboxEvents = async (): Promise<number> =>
  (await bench.db.query('select coalesce(sum(event_count), 0)::int as n from tollgate.event_inbox')).rows[0].n

test('a door that too much waits behind refuses with Retry-After, stores nothing, and opens again', async () => {
  let accepted = 0
  // While a reading is under way the door counts twice rather than not at all, so it may close a little early.
  await vi.waitFor(async () => {
    accepted += (await post(100)).body.accepted ?? 0
    expect(accepted).toBeGreaterThanOrEqual(LIMIT)
  }, 15_000)
  expect(accepted).toBe(LIMIT)
  const answer = await post(100)
  expect(answer).toMatchObject({ status: 503, body: { reason: 'backlog_full' } })
  expect(answer.headers.get('retry-after')).toBe('5')
  // Also when it is what the queue says, and not what this instance has let in itself.
  for (let round = 0; round < 5; round++) {
    await vi.waitFor(async () => {
      expect((await call<string>(bench.api.url, '/metrics')).body).toMatch(/tollgate_events_backlog_ratio\{[^}]*\} 1\b/)
    }, 10_000)
    expect((await post(1)).status).toBe(503)
  }
  expect((await call<string>(bench.api.url, '/metrics')).body).toMatch(/tollgate_events_refused_total\{[^}]*\} [1-9]/)
  work()
  await vi.waitFor(async () => expect((await post(100)).status).toBe(202), 10_000)
  await vi.waitFor(async () => expect(await jobsWaiting()).toBe(0), 10_000)
})

test('what waits in the inbox counts as well', async () => {
  work()
  const events = Array.from({ length: LIMIT }, () => ({}))
  await bench.db.query('insert into tollgate.event_inbox (events) values ($1)', [JSON.stringify(events)])
  await vi.waitFor(async () => expect((await post(1)).status).toBe(503), 10_000)
  await bench.db.query('truncate tollgate.event_inbox')
  await vi.waitFor(async () => expect((await post(1)).status).toBe(202), 10_000)
})

test('ACCEPT_ON=postgres answers 202 after the row is committed, and not before', async () => {
  expect(await post(3, onPostgres)).toMatchObject({ status: 202, body: { accepted: 3 } })
  expect(await inboxEvents()).toBe(3)
  expect(await jobsWaiting()).toBe(0)
  const client = await bench.db.connect()
  await client.query('begin; lock table tollgate.event_inbox in exclusive mode')
  try {
    expect((await post(1, onPostgres)).status).toBe(503)
  } finally {
    await client.query('rollback')
    client.release()
  }
  expect(await inboxEvents()).toBe(3)
})

test('ACCEPT_ON=postgres with Prefer: wait: 200 after the commit, or 202 with the events in the inbox', async () => {
  const unanswered = await post(2, { url: onPostgres.url, headers: { prefer: 'wait=1' } })
  expect(unanswered).toMatchObject({ status: 202, body: { accepted: 2 } })
  expect(await inboxEvents()).toBe(2)
  work()
  const answered = await post(2, { url: onPostgres.url, headers: { prefer: 'wait=10' } })
  expect(answered).toMatchObject({ status: 200, body: { recorded: 2 } })
  expect(await inboxEvents()).toBe(2)
})
