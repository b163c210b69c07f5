import { randomUUID } from 'node:crypto'
import { createSecretBox } from '@tollgate/shared/webhooks'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { openLossyWay } from './support/lose-answer.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, newSecret, openBench, startApi } from './support/start-api.ts'

let bench: Bench
let operator: string
let name: string

beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.stop())
beforeEach(async () => {
  operator = await addKey(bench.db, ['keys:write', 'usage:read'])
  name = randomUUID()
})

interface NewKey {
  id: string
  key: string
  reason?: string
}
const create = (key: string, changes: object = {}, token = operator, url = bench.api.url) =>
  call<NewKey>(url, '/v1/keys', {
    method: 'POST',
    token,
    json: { name, scopes: ['usage:read'], ...changes },
    headers: { 'idempotency-key': key },
  })
const made = async (): Promise<number> =>
  (await bench.db.query('select count(*)::int as n from tollgate.service_keys where name = $1', [name])).rows[0].n

test('a repetition gets the same answer, from any instance, and does nothing', async () => {
  const second = await startApi(bench.env)
  try {
    const first = await create('once')
    expect(first).toMatchObject({ status: 201 })
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    const again = await vi.waitFor(async () => {
      const answer = await create('once', {}, operator, second.url)
      expect(answer).toMatchObject({ status: 201, body: first.body })
      return answer
    }, 10_000)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(await made()).toBe(1)
  } finally {
    await second.stop()
  }
})

test('of twelve at once one is done, and all that are answered say the same', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => create('race')))
  expect(await made()).toBe(1)
  const done = answers.filter(({ status }) => status === 201)
  expect(done.length).toBeGreaterThan(0)
  expect(new Set(done.map(({ body }) => body.key)).size).toBe(1)
  // A slow machine may have no connection left for some of them.
  for (const { status, body, headers } of answers.filter((answer) => ![201, 503].includes(answer.status))) {
    expect({ status, reason: body.reason }).toEqual({ status: 409, reason: 'in_progress' })
    expect(headers.get('retry-after')).toBe('1')
  }
  expect((await create('race')).body.key).toBe(done[0]?.body.key)
})

test('the same key with another body is a mistake', async () => {
  await create('body')
  expect(await create('body', { name: `${name} 2` })).toMatchObject({
    status: 422,
    body: { type: 'https://tollgate.dev/problems/idempotency-key-reused' },
  })
  expect(await made()).toBe(1)
})

test('keys of one caller say nothing to another', async () => {
  const admin = await signSupabaseToken(
    await addUser(bench.db, await addOrganization(bench.db), 'super_admin'),
    bench.secrets.supabase,
  )
  const first = await create('shared')
  const other = await create('shared', {}, admin)
  expect(other.status).toBe(201)
  expect(other.body.id).not.toBe(first.body.id)
  expect((await create('shared', {}, 'tg_unknownunknownunknown')).status).toBe(401)
})

test('a refusal for a reason that may pass is not kept', async () => {
  expect((await create('rights', { scopes: ['quota:write'] })).status).toBe(403)
  await bench.db.query(`update tollgate.service_keys set scopes = scopes || '{quota:write}' where name = 'test'`)
  const strong = await addKey(bench.db, ['keys:write', 'quota:write'])
  expect((await create('rights', { scopes: ['quota:write'] }, strong)).status).toBe(201)
  expect(await made()).toBe(1)
})

describe('a request that died after its act and before its answer was kept, made again, makes the same', () => {
  let organization: string
  let user: string
  const post = (path: string, json: object | undefined, key: string, token = operator) =>
    call<Record<string, unknown>>(bench.api.url, path, {
      method: 'POST',
      token,
      ...(json === undefined ? {} : { json }),
      headers: { 'idempotency-key': key },
    })
  /** Makes a request of whose answer nothing can be kept. */
  async function losing<Answer>(request: () => Promise<Answer>): Promise<Answer> {
    await bench.db.query('alter function public.finish_idempotent(jsonb) rename to finish_away')
    return request().finally(() =>
      bench.db.query('alter function public.finish_away(jsonb) rename to finish_idempotent'),
    )
  }
  /** Makes it, loses what is kept of the answer, makes it again; gives both answers. */
  async function twice(path: string, json?: object, meanwhile = async () => undefined as unknown) {
    const key = randomUUID()
    const first = await losing(() => post(path, json, key))
    expect(await post(path, json, key)).toMatchObject({ status: 409, body: { reason: 'in_progress' } })
    const later = `update tollgate.idempotent_requests set leased_until = now() - interval '1 second' where key = $1`
    expect((await bench.db.query(later, [key])).rowCount).toBe(1)
    await meanwhile()
    const second = await post(path, json, key)
    expect(second.status, JSON.stringify([first.body, second.body])).toBe(first.status)
    expect(first.status).toBeLessThan(300)
    expect(second.headers.get('idempotency-replayed')).toBeNull()
    return [first.body, second.body] as const
  }
  const countSessions = async () =>
    (await bench.db.query('select from tollgate.login_sessions where user_id = $1', [user])).rowCount
  const countActs = async (action: string, target: string) =>
    (await bench.db.query('select from tollgate.audit_log where action = $1 and target = $2', [action, target]))
      .rowCount

  beforeEach(async () => {
    const scopes = ['keys:write', 'usage:read', 'tokens:issue', 'webhooks:write', 'enforcement:write']
    operator = await addKey(bench.db, scopes)
    organization = await addOrganization(bench.db)
    user = await addUser(bench.db, organization)
  })

  test('a key, and its successor', async () => {
    const [first, second] = await twice('/v1/keys', { name, scopes: ['usage:read'] })
    expect(second).toEqual(first)
    expect(await made()).toBe(1)
    expect(await countActs('key.created', `key:${first.id}`)).toBe(1)
    const [rotated, again] = await twice(`/v1/keys/${first.id}/rotate`)
    expect(again).toEqual(rotated)
    expect(rotated.id).not.toBe(first.id)
    expect(await made()).toBe(2)
  })

  test('a login session, which is only prolonged', async () => {
    const [first, second] = await twice('/v1/tokens', { user_id: user })
    const [sid, ...others] = [first, second].map(({ token }) => decodeJwt(String(token)).sid)
    expect(others).toEqual([sid])
    expect(await countSessions()).toBe(1)
    expect(await countActs('access_token.issued', `user:${user}`)).toBe(1)
    const started = `select from tollgate.session_event_outbox where event ->> 'id' = $1`
    expect((await bench.db.query(started, [sid])).rowCount).toBeLessThan(2)
  })

  test('a login of somebody who has signed in, too', async () => {
    operator = await signSupabaseToken(user, bench.secrets.supabase)
    const [first, second] = await twice('/api/librechat/auth')
    const [sid, ...others] = [first, second].map(({ token }) => decodeJwt(String(token)).sid)
    expect(others).toEqual([sid])
    const replayed = await post('/api/librechat/auth', undefined, 'login')
    const again = await post('/api/librechat/auth', undefined, 'login')
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.body).toEqual(replayed.body)
    expect(again.headers.get('set-cookie')).toContain(String(again.body.refresh_token))
    expect(again.headers.get('set-cookie')).toBe(replayed.headers.get('set-cookie'))
    expect(await countSessions()).toBe(2)
  })

  test('no session that was ended meanwhile', async () => {
    const key = randomUUID()
    const { status } = await losing(() => post('/v1/tokens', { user_id: user }, key))
    expect(status).toBe(201)
    const strong = await addKey(bench.db, ['tokens:revoke'])
    const ended = await call(bench.api.url, `/v1/users/${user}/sessions`, { method: 'DELETE', token: strong })
    expect(ended.status).toBe(200)
    await bench.db.query('update tollgate.idempotent_requests set leased_until = now() where key = $1', [key])
    expect(await post('/v1/tokens', { user_id: user }, key)).toMatchObject({ status: 401 })
  })

  test('none of an organization that was revoked meanwhile, and the answer says that', async () => {
    const key = randomUUID()
    const { status } = await losing(() => post('/v1/tokens', { user_id: user }, key))
    expect(status).toBe(201)
    await bench.db.query(
      `insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
       values ($1, 'revoked', 1, '2026-11-01', '2026-12-01', 'x')`,
      [organization],
    )
    await bench.db.query('update tollgate.idempotent_requests set leased_until = now() where key = $1', [key])
    expect(await post('/v1/tokens', { user_id: user }, key)).toMatchObject({
      status: 403,
      body: { type: 'https://tollgate.dev/problems/organization-revoked' },
    })
  })

  test('an endpoint of webhooks, and its new secret', async () => {
    const base = `/v1/organizations/${organization}/webhooks`
    const [first, second] = await twice(base, { url: 'https://hooks.example.com/', types: ['quota.revoked'] })
    expect(second).toEqual(first)
    const [rotated, again] = await twice(`${base}/${first.id}/rotate`)
    expect(again.secret).toBe(rotated.secret)
    const stored = 'select sealed_secret, previous_sealed_secret from tollgate.webhook_endpoints where id = $1'
    const { rows } = await bench.db.query(stored, [first.id])
    const box = createSecretBox([bench.secrets.webhooks])
    expect(box.open(rows[0].sealed_secret, String(first.id))).toBe(rotated.secret)
    expect(box.open(rows[0].previous_sealed_secret, String(first.id))).toBe(first.secret)
  })

  test.each(['', '/users/:user'])('an order at …%s/enforcement, also when its end has passed by then', async (of) => {
    const untilMs = Date.now() + 2_000
    const order = { action: 'revoke', reason: 'test', until: new Date(untilMs).toISOString() }
    const path = `/v1/organizations/${organization}${of.replace(':user', user)}/enforcement`
    const pass = () => vi.waitFor(() => expect(Date.now()).toBeGreaterThan(untilMs), 10_000)
    const [first, second] = await twice(path, order, pass)
    expect(second).toMatchObject({ decision_id: first.decision_id, until: first.until })
    const decisions = `select from tollgate.quota_decisions where organization_id = $1 and kind = 'act'`
    expect((await bench.db.query(decisions, [organization])).rowCount).toBe(1)
  })
})

test('an act whose answer from Postgres is lost after its commit is repeated, not done again', async () => {
  const way = await openLossyWay(bench.env.DATABASE_URL ?? '')
  const api = await startApi({ ...bench.env, DATABASE_URL: way.url })
  try {
    way.loseAnswerTo('public.create_service_key(')
    expect((await create('lost', {}, operator, api.url)).status).toBe(503)
    expect(await made()).toBe(1)
    const again = await create('lost', {}, operator, api.url)
    expect(again.status).toBe(201)
    const rotate = () =>
      call<NewKey>(api.url, `/v1/keys/${again.body.id}/rotate`, {
        method: 'POST',
        token: operator,
        headers: { 'idempotency-key': 'lost-successor' },
      })
    way.loseAnswerTo('public.rotate_service_key(')
    expect((await rotate()).status).toBe(503)
    const successor = await rotate()
    expect(successor.status).toBe(201)
    expect(await made()).toBe(2)
    // Both texts are those of the keys that were made.
    for (const { key: token } of [again.body, successor.body]) {
      expect((await call(api.url, `/v1/users/${randomUUID()}/usage`, { token })).status).not.toBe(401)
    }
  } finally {
    await api.stop()
    way.stop()
  }
})

test('what is kept outlives a new secret, if the one before is named; else nothing is done', async () => {
  const first = await create('rotated')
  await create('rotated-and-lost')
  const changes = { LIBRECHAT_JWT_SECRET: newSecret() }
  const apis = [
    await startApi({ ...bench.env, ...changes, JWT_PREVIOUS_SECRETS: bench.secrets.libreChat }),
    await startApi({ ...bench.env, ...changes }),
  ]
  try {
    const [known, lost] = apis.map(({ url }) => url)
    expect(await create('rotated', {}, operator, known)).toMatchObject({ status: 201, body: first.body })
    const answer = await create('rotated-and-lost', {}, operator, lost)
    expect(answer).toMatchObject({ status: 409, body: { reason: 'answer_unreadable' } })
    expect(await made()).toBe(2)
  } finally {
    for (const api of apis) await api.stop()
  }
})

test('what is kept does not show the new key', async () => {
  const { body } = await create('sealed')
  const kept = `select i::text as row from tollgate.idempotent_requests i where key = 'sealed'`
  const { rows } = await bench.db.query(kept)
  expect(rows[0].row).not.toContain(body.key)
  expect(Buffer.from(rows[0].row, 'base64').toString('latin1')).not.toContain(body.key)
})

test('is kept for a day', async () => {
  await create('old')
  const aDayLater = `update tollgate.idempotent_requests set begun_at = now() - interval '25 hours' where key = 'old'`
  await bench.db.query(aDayLater)
  await create('new')
  const { rows } = await bench.db.query(`select key from tollgate.idempotent_requests where key in ('old', 'new')`)
  expect(rows).toEqual([{ key: 'new' }])
})

test.each(['', 'with space', 'x'.repeat(256), 'é'])('%j is no Idempotency-Key', async (key) => {
  const answer = await create(Buffer.from(key).toString('latin1'))
  expect(answer.status).toBe(400)
})
