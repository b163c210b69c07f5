import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench, startApi } from './support/start-api.ts'

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

test('a refusal for a reason that may pass is not kept, and a request that died may be made again', async () => {
  expect((await create('rights', { scopes: ['quota:write'] })).status).toBe(403)
  await bench.db.query(`update tollgate.service_keys set scopes = scopes || '{quota:write}' where name = 'test'`)
  const strong = await addKey(bench.db, ['keys:write', 'quota:write'])
  expect((await create('rights', { scopes: ['quota:write'] }, strong)).status).toBe(201)
  await create('died')
  await bench.db.query(
    `update tollgate.idempotent_requests set leased_until = now() - interval '1 second', status = null where key = 'died'`,
  )
  expect((await create('died')).status).toBe(201)
  expect(await made()).toBe(3)
})

test('what is kept does not show the new key', async () => {
  const { body } = await create('sealed')
  const { rows } = await bench.db.query(
    `select i::text as row from tollgate.idempotent_requests i where key = 'sealed'`,
  )
  expect(rows[0].row).not.toContain(body.key)
  expect(Buffer.from(rows[0].row, 'base64').toString('latin1')).not.toContain(body.key)
})

test('is kept for a day', async () => {
  await create('old')
  await bench.db.query(
    `update tollgate.idempotent_requests set begun_at = now() - interval '25 hours' where key = 'old'`,
  )
  await create('new')
  const { rows } = await bench.db.query(`select key from tollgate.idempotent_requests where key in ('old', 'new')`)
  expect(rows).toEqual([{ key: 'new' }])
})

test.each(['', 'with space', 'x'.repeat(256), 'é'])('%j is no Idempotency-Key', async (key) => {
  const answer = await create(Buffer.from(key).toString('latin1'))
  expect(answer.status).toBe(400)
})
