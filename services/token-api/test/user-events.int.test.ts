import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sampleClaims } from '../src/testing/claims.ts'
import { issueAccessToken } from '../src/tokens/issue-access-token.ts'
import { importKeys, type TokenKeys } from '../src/tokens/keys.ts'
import { call } from './support/http.ts'
import { addOrganization, addUser, usageEvent } from './support/seed.ts'
import { type Bench, openBench } from './support/start-api.ts'
import { startWorker, type TestWorker } from './support/worker.ts'

interface Body {
  accepted?: number
  rejected?: { reason: string }[]
  reason?: string
}

let bench: Bench
let worker: TestWorker
let keys: TokenKeys
let organization: string
let otherOrganization: string
let user: string
let otherUser: string
let token: string

beforeAll(async () => {
  bench = await openBench()
  worker = startWorker(bench.env.REDIS_URL ?? '', bench.workerUrl)
  keys = await importKeys(bench.secrets.libreChat, bench.secrets.refresh)
  organization = await addOrganization(bench.db)
  otherOrganization = await addOrganization(bench.db)
  user = await addUser(bench.db, organization)
  otherUser = await addUser(bench.db, otherOrganization)
  token = await tokenFor({})
})
afterAll(async () => {
  await worker.stop()
  await bench.stop()
})

/** Posts as a client does: a gate that cannot tell for a moment (503) is asked again. */
async function post(json: unknown, bearer = token) {
  const headers = { prefer: 'wait=10' }
  for (let turn = 1; ; turn++) {
    const answer = await call<Body>(bench.api.url, '/v1/events', { method: 'POST', token: bearer, json, headers })
    if (answer.body.reason !== 'gate_unavailable' || turn === 20) return answer
    await delay(500)
  }
}

const nowSeconds = () => Math.floor(Date.now() / 1_000)
const tokenFor = (changes: object) => {
  const base = sampleClaims({ sub: user, iat: nowSeconds(), exp: nowSeconds() + 600, ver: 0 })
  const claims = { ...base, organization: { ...base.organization, id: organization }, ...changes }
  return issueAccessToken(claims, keys.access)
}
const DATA = { reason: 'closed', metadata: { messages: 10 } }
const session = (userId: string, organizationId = organization, type = 'started') =>
  usageEvent(organizationId, userId, DATA, { type: `tollgate.session.${type}.v1` })

test('starts and ends the own chat sessions', async () => {
  const answer = await post([session(user), session(user, organization, 'ended')])
  expect(answer).toMatchObject({ status: 200, body: { accepted: 2, recorded: 2 } })
  const { rows } = await bench.db.query('select status from public.chat_sessions where user_id = $1', [user])
  expect(rows).toHaveLength(1)
})

test('reports no usage, and nothing for others', async () => {
  const usage = usageEvent(organization, user)
  const correction = {
    ...usage,
    type: 'tollgate.usage.corrected.v1',
    data: { ...usage.data, corrects: usage, revision: 1 },
  }
  const events = [usage, correction, session(otherUser), session(user, otherOrganization), session(user)]
  const { status, body } = await post(events)
  expect(status).toBe(200)
  expect(body.accepted).toBe(1)
  expect(body.rejected?.map(({ reason }) => reason)).toEqual([
    'type_not_allowed',
    'type_not_allowed',
    'organization_not_allowed',
    'organization_not_allowed',
  ])
})

test('is refused when it has expired, was tampered with, or is not signed', async () => {
  const before = worker.seen.length
  const [, payload = ''] = token.split('.')
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
  const cases: [string, string][] = [
    [await tokenFor({ exp: nowSeconds() - 1 }), 'expired'],
    [`${token.slice(0, -8)}AAAAAAAA`, 'bad_signature'],
    [`${none}.${payload}.`, 'bad_signature'],
    [`${none}.${payload}`, 'malformed'],
  ]
  for (const [refused, reason] of cases) {
    const answer = await post(session(user), refused)
    const type = 'https://tollgate.dev/problems/token-refused'
    expect(answer).toMatchObject({ status: 401, body: { type, reason } })
  }
  expect((await post(session(user))).body.accepted).toBe(1)
  expect(worker.seen.length).toBe(before + 1)
})
