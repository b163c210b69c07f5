import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Answer, call } from './support/http.ts'
import { addKey, addOrganization, addUser, usageEvent } from './support/seed.ts'
import { type Bench, openBench } from './support/start-api.ts'
import { startWorker, type TestWorker } from './support/worker.ts'

interface Body {
  accepted?: number
  recorded?: number
  duplicate?: number
  rejected?: { index: number; id: string | null; reason: string; detail?: string }[]
  results?: { index: number; outcome: string; conflict?: boolean }[]
  reason?: string
  type?: string
  status?: number
}

let bench: Bench
let worker: TestWorker
let organization: string
let otherOrganization: string
let user: string
let otherUser: string
let operatorKey: string
let ownKey: string

beforeAll(async () => {
  bench = await openBench()
  worker = startWorker(bench.env.REDIS_URL ?? '', bench.workerUrl)
  organization = await addOrganization(bench.db)
  otherOrganization = await addOrganization(bench.db)
  user = await addUser(bench.db, organization)
  otherUser = await addUser(bench.db, otherOrganization)
  operatorKey = await addKey(bench.db, ['events:write'])
  ownKey = await addKey(bench.db, ['events:write'], organization)
})
afterAll(async () => {
  await worker.stop()
  await bench.stop()
})

const post = (json: unknown, options: { token?: string; type?: string; wait?: boolean; path?: string } = {}) =>
  call<Body>(bench.api.url, '/v1/events', {
    method: 'POST',
    token: options.token ?? operatorKey,
    json,
    ...(options.type === undefined ? {} : { type: options.type }),
    headers: options.wait === false ? {} : { prefer: 'wait=10' },
  })
const usage = (data: object = {}, envelope: object = {}) => usageEvent(organization, user, data, envelope)

/** LLM tokens and events in the ledger and in the queue: what a refused request must not change. */
async function counted(): Promise<{ events: number; seen: number; inbox: number }> {
  const { rows } = await bench.db.query(
    'select (select count(*) from tollgate.usage_events)::int as events, (select count(*) from tollgate.event_inbox)::int as inbox',
  )
  return { ...rows[0], seen: worker.seen.length }
}

const expectProblem = (answer: Answer<Body>, status: number, code: string): void => {
  expect(answer.body).toMatchObject({ type: `https://tollgate.dev/problems/${code}`, status })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
}

describe('good events', () => {
  test.each([
    ['application/cloudevents+json', () => usage()],
    ['application/cloudevents+json; charset=utf-8', () => usage()],
    ['application/cloudevents-batch+json', () => [usage()]],
    ['application/json', () => usage()],
    ['application/json', () => [usage()]],
  ])('of %s are counted', async (type, body) => {
    const answer = await post(body(), { type })
    expect(answer).toMatchObject({ status: 200, body: { accepted: 1, recorded: 1, duplicate: 0, rejected: [] } })
    expect(answer.headers.get('preference-applied')).toBe('wait')
  })

  test('without Prefer are on disk at 202 and in the ledger before long', async () => {
    const event = usage()
    const answer = await post(event, { wait: false })
    expect(answer).toMatchObject({ status: 202, body: { accepted: 1, rejected: [] } })
    expect(answer.headers.get('preference-applied')).toBeNull()
    await vi.waitFor(async () => {
      const { rows } = await bench.db.query('select total_tokens from tollgate.usage_events where event_id = $1', [
        event.id,
      ])
      expect(rows).toEqual([{ total_tokens: '418' }])
    }, 15_000)
  })

  test('sent again are duplicates, and a changed one is a conflict', async () => {
    const event = usage()
    await post(event)
    expect((await post(event)).body).toMatchObject({ recorded: 0, duplicate: 1, results: [{ conflict: false }] })
    const changed = { ...event, data: { ...event.data, output_tokens: 45 } }
    expect((await post(changed)).body).toMatchObject({ recorded: 0, duplicate: 1, results: [{ conflict: true }] })
  })

  test('are corrected by a later revision, and voided by zeros', async () => {
    const event = usage()
    await post(event)
    const correct = (revision: number, input_tokens: number, output_tokens: number) =>
      post({
        ...event,
        type: 'tollgate.usage.corrected.v1',
        id: `${event.id}-${revision}`,
        data: { organization_id: organization, corrects: event, revision, input_tokens, output_tokens },
      })
    const standing = async () => {
      const sql = `select sum(total_tokens)::int as tokens, sum(message_count)::int as messages
        from tollgate.usage_events where event_id = $1`
      return (await bench.db.query(sql, [event.id])).rows[0]
    }
    expect((await correct(2, 300, 10)).body).toMatchObject({ recorded: 1, rejected: [] })
    expect(await standing()).toEqual({ tokens: 310, messages: 1 })
    expect((await correct(1, 5, 5)).body).toMatchObject({ duplicate: 1 })
    expect((await correct(3, 0, 0)).body).toMatchObject({ recorded: 1 })
    expect(await standing()).toEqual({ tokens: 0, messages: 0 })
    expect((await correct(0, 5, 5)).body).toMatchObject({ rejected: [{ reason: 'invalid_event' }] })
  })

  test('twice in one batch count once', async () => {
    const event = usage()
    const { body } = await post([event, usage(), event])
    expect(body).toMatchObject({ accepted: 3, recorded: 2, duplicate: 1 })
    const { rows } = await bench.db.query('select count(*)::int from tollgate.usage_events where event_id = $1', [
      event.id,
    ])
    expect(rows[0].count).toBe(1)
  })

  test('of concurrent requests get each its own outcomes', async () => {
    const repeated = usage()
    await post(repeated)
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => {
        const events = Array.from({ length: 1 + (index % 5) }, () => usage())
        return post(index % 2 === 0 ? [repeated, ...events] : [...events, repeated])
      }),
    )
    for (const [index, { status, body }] of answers.entries()) {
      expect(status).toBe(200)
      const outcomes = body.results?.map(({ outcome }) => outcome) ?? []
      expect(outcomes).toHaveLength(2 + (index % 5))
      expect(outcomes.indexOf('duplicate')).toBe(index % 2 === 0 ? 0 : outcomes.length - 1)
      expect(body.duplicate).toBe(1)
    }
  })

  test('beside bad ones are counted, and each bad one says why', async () => {
    const good = usage()
    const { status, body } = await post([
      usage({ input_tokens: -5 }, { id: 'negative' }),
      good,
      usageEvent(organization, otherUser, {}, { id: 'foreign' }),
      'nonsense',
    ])
    expect(status).toBe(200)
    expect(body).toMatchObject({ accepted: 1, recorded: 1, results: [{ index: 1, outcome: 'recorded' }] })
    expect(body.rejected?.map(({ index, id, reason }) => [index, id, reason])).toEqual([
      [0, 'negative', 'invalid_event'],
      [2, 'foreign', 'user_not_in_organization'],
      [3, null, 'invalid_event'],
    ])
  })

  test('1,000 of them fit into a request', async () => {
    const { status, body } = await post(Array.from({ length: 1_000 }, () => usage()))
    expect(status).toBe(200)
    expect(body.recorded).toBe(1_000)
  })
})

describe('bad input gets a clear problem and changes nothing', () => {
  let before: Awaited<ReturnType<typeof counted>>
  beforeEach(async () => {
    before = await counted()
    return async () => expect(await counted()).toEqual(before)
  })

  const BODIES: [name: string, body: string, status: number, code: string][] = [
    ['not JSON', '{"specversion":', 400, 'bad-request'],
    ['JSON and a rest', '{} {}', 400, 'bad-request'],
    ['no body', '', 400, 'bad-request'],
    ['null', 'null', 400, 'bad-request'],
    ['a number', '42', 400, 'bad-request'],
    ['text', '"event"', 400, 'bad-request'],
    ['NaN', '{"data":{"input_tokens":NaN}}', 400, 'bad-request'],
    ['an empty batch', '[]', 400, 'no-usable-event'],
    ['an empty event', '{}', 400, 'no-usable-event'],
    ['lists all the way down', '['.repeat(100_000) + ']'.repeat(100_000), 400, 'no-usable-event'],
  ]
  test.each(BODIES)('%s', async (_name, body, status, code) => {
    expectProblem(await post(body), status, code)
  })

  const COUNTS: unknown[] = [-1, 1.5, 1e30, 2 ** 53, '374', null, [], {}, true]
  test.each(COUNTS)('%j LLM tokens', async (input_tokens) => {
    const answer = await post(usage({ input_tokens }))
    expectProblem(answer, 400, 'no-usable-event')
    expect(answer.body.rejected).toMatchObject([{ index: 0, reason: 'invalid_event' }])
    expect(answer.body.rejected?.[0]?.detail).toContain('input_tokens')
  })

  const EVENTS: [reason: string, event: () => unknown][] = [
    ['unknown_organization', () => usageEvent(randomUUID(), user)],
    ['unknown_organization', () => usageEvent(randomUUID(), randomUUID())],
    ['unknown_user', () => usageEvent(organization, randomUUID())],
    ['user_not_in_organization', () => usageEvent(organization, otherUser)],
    ['unsupported_type', () => usage({}, { type: 'tollgate.login.started.v1' })],
    ['too_late', () => usage({}, { time: '2020-01-01T00:00:00Z' })],
    ['too_early', () => usage({}, { time: '2099-01-01T00:00:00Z' })],
    ['invalid_event', () => usage({ session_id: 'a\u0000b' })],
    ['invalid_event', () => JSON.stringify(usage({ session_id: 'SURROGATE' })).replace('SURROGATE', '\\ud800')],
    ['invalid_event', () => usage({ organization_id: "'; drop table profiles; --" })],
  ]
  test.each(EVENTS)('%s', async (reason, event) => {
    const answer = await post(event())
    expectProblem(answer, 400, 'no-usable-event')
    expect(answer.body.rejected).toMatchObject([{ index: 0, reason }])
  })

  test('1,001 events', async () => {
    expectProblem(await post(Array.from({ length: 1_001 }, () => usage())), 413, 'payload-too-large')
  })

  test('5 MB, announced or not', async () => {
    const big = JSON.stringify(usage({ model: 'x'.repeat(5_000_000) }))
    expectProblem(await post(big), 413, 'payload-too-large')
    expect(await sendChunked(big)).toBe(413)
  })

  test('another content type, or bytes that are no UTF-8', async () => {
    const plain = await post(JSON.stringify(usage()), { type: 'text/plain' })
    expectProblem(plain, 415, 'unsupported-media-type')
    expect(plain.body).toMatchObject({ detail: expect.stringContaining('send JSON') })
    expectProblem(await post(JSON.stringify(usage()), { type: 'application/xml' }), 415, 'unsupported-media-type')
    expectProblem(await post([usage()], { type: 'application/cloudevents+json' }), 400, 'bad-request')
    const response = await fetch(`${bench.api.url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
      body: new Uint8Array([0x22, 0xff, 0xfe, 0x22]),
    })
    expect(response.status).toBe(400)
  })

  test('no key, an unknown key, a revoked key, a key without the scope', async () => {
    expectProblem(await post(usage(), { token: '' }), 401, 'token-refused')
    const unknown = await post(usage(), { token: 'tg_0123456789abcdef0123456789abcdef' })
    expectProblem(unknown, 401, 'unauthenticated')
    expect(unknown.body.reason).toBe('unknown_key')
    expectProblem(await post(usage(), { token: "tg_' or true --" }), 401, 'token-refused')
    const revoked = await addKey(bench.db, ['events:write'])
    await bench.db.query(
      "update tollgate.service_keys set revoked_at = now() where key_hash = sha256(convert_to($1, 'UTF8'))",
      [revoked],
    )
    expectProblem(await post(usage(), { token: revoked }), 401, 'unauthenticated')
    expectProblem(await post(usage(), { token: await addKey(bench.db, ['quota:read']) }), 403, 'forbidden')
  })

  test("an organization's key for another organization", async () => {
    const answer = await post(usageEvent(otherOrganization, otherUser), { token: ownKey })
    expectProblem(answer, 400, 'no-usable-event')
    expect(answer.body.rejected).toMatchObject([{ reason: 'organization_not_allowed' }])
  })

  test('a path that is none, a method that is none, and an unreadable path', async () => {
    expectProblem(await call(bench.api.url, '/v1/nothing'), 404, 'not-found')
    expectProblem(await call(bench.api.url, '/v1/events'), 404, 'not-found')
    expectProblem(await call(bench.api.url, '/%zz'), 400, 'bad-request')
  })
})

test('metrics say what was taken and what was not, and name nobody', async () => {
  const { body } = await call<string>(bench.api.url, '/metrics')
  expect(body).toMatch(/tollgate_events_accepted_total\{path="redis",service="token-api"\} \d+/)
  expect(body).toMatch(/tollgate_events_rejected_total\{reason="invalid_event"/)
  expect(body).toMatch(/tollgate_events_admission_seconds_bucket/)
  expect(body).not.toContain(organization)
  expect(body).not.toContain(user)
})

/** A body without Content-Length, so that its size shows only while it is read. */
function sendChunked(text: string): Promise<number> {
  return new Promise((done, failed) => {
    const headers = { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' }
    const sent = request(`${bench.api.url}/v1/events`, { method: 'POST', headers }, (response) => {
      done(response.statusCode ?? 0)
      response.resume()
    })
    // The server may answer and hang up before all was sent.
    sent.on('error', failed)
    for (let from = 0; from < text.length; from += 65_536) sent.write(text.slice(from, from + 65_536))
    sent.end()
  })
}
