import { createSecretBox } from '@tollgate/shared/webhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser } from './support/seed.ts'
import { type Bench, openBench, startApi } from './support/start-api.ts'

let bench: Bench
let home: string
let key: string
beforeAll(async () => {
  bench = await openBench()
  home = await addOrganization(bench.db)
  key = await addKey(bench.db, ['webhooks:write'], home)
})
afterAll(() => bench.stop())

const URL_OF_HOOK = 'https://hooks.example.com/tollgate'
const create = (url: string, owner = home, token = key) =>
  call<{ id: string; secret: string; reason?: string }>(bench.api.url, `/v1/organizations/${owner}/webhooks`, {
    method: 'POST',
    token,
    json: { url },
  })

test('a secret is shown when it is made, and never again', async () => {
  const created = await create(URL_OF_HOOK)
  expect(created.status).toBe(201)
  expect(created.body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  const path = `/v1/organizations/${home}/webhooks`
  const rotated = await call<{ secret: string }>(bench.api.url, `${path}/${created.body.id}/rotate`, {
    method: 'POST',
    token: key,
    json: { overlap_seconds: 60 },
  })
  expect(rotated.body.secret).not.toBe(created.body.secret)
  const listed = await call<{ webhooks: object[] }>(bench.api.url, path, { token: key })
  expect(listed.body.webhooks).toMatchObject([{ id: created.body.id, url: URL_OF_HOOK }])
  const { rows } = await bench.db.query('select details from tollgate.audit_log')
  const shown = JSON.stringify([listed.body, rows])
  for (const { secret } of [created.body, rotated.body]) expect(shown).not.toContain(secret)
  // Nor does the table hold it, but for whoever has the key.
  const table = await bench.db.query('select * from tollgate.webhook_endpoints where id = $1', [created.body.id])
  const raw = JSON.stringify(table.rows)
  for (const { secret } of [created.body, rotated.body]) expect(raw).not.toContain(secret.slice('whsec_'.length))
  const box = createSecretBox([bench.secrets.webhooks])
  const [{ sealed_secret, previous_sealed_secret }] = table.rows
  const opened = [sealed_secret, previous_sealed_secret].map((sealed) => box.open(sealed, created.body.id))
  expect(opened).toEqual([rotated.body.secret, created.body.secret])
  await expect(
    bench.db.query(`update tollgate.webhook_endpoints set sealed_secret = 'whsec_dGVzdA==' where id = $1`, [
      created.body.id,
    ]),
  ).rejects.toThrow(/check constraint/)
  for (const status of [200, 404]) {
    const removed = await call(bench.api.url, `${path}/${created.body.id}`, { method: 'DELETE', token: key })
    expect(removed.status).toBe(status)
  }
})

test('twenty endpoints are as many as an organization has, however many are asked for at once', async () => {
  const owner = await addOrganization(bench.db)
  const token = await addKey(bench.db, ['webhooks:write'], owner)
  const answers = await Promise.all(Array.from({ length: 25 }, () => create(URL_OF_HOOK, owner, token)))
  const made = answers.filter(({ status }) => status === 201)
  expect(made).toHaveLength(20)
  expect(answers.filter(({ status, body }) => status === 409 && body.reason === 'too_many_webhooks')).toHaveLength(5)
  await call(bench.api.url, `/v1/organizations/${owner}/webhooks/${made[0]?.body.id}`, { method: 'DELETE', token })
  expect((await create(URL_OF_HOOK, owner, token)).status).toBe(201)
})

test('without a key to seal secrets with, no endpoint is made', async () => {
  const keyless = await startApi({ ...bench.env, WEBHOOK_SECRET_KEYS: '' })
  try {
    const json = { url: URL_OF_HOOK }
    const options = { method: 'POST', token: key, json }
    expect(await call(keyless.url, `/v1/organizations/${home}/webhooks`, options)).toMatchObject({
      status: 503,
      body: { reason: 'webhook_keys_missing' },
    })
  } finally {
    await keyless.stop()
  }
})

test.each(['http://hooks.example.com/', 'https://127.0.0.1/', 'https://[::ffff:10.0.0.1]/', 'https://0x7f000001/'])(
  '%s is refused at the door',
  async (url) => {
    expect(await create(url)).toMatchObject({ status: 400, body: { reason: 'url_not_allowed' } })
  },
)

test('endpoints of every organization are for the operator', async () => {
  expect((await create(URL_OF_HOOK, 'all')).status).toBe(403)
  const operator = await addKey(bench.db, ['webhooks:write'])
  expect((await create(URL_OF_HOOK, 'all', operator)).status).toBe(201)
  expect((await create(URL_OF_HOOK, 'all', await addKey(bench.db, ['quota:write']))).status).toBe(403)
})

test("an organization's admin reads its deliveries in the database, without secrets; nobody else does", async () => {
  const { body: endpoint } = await create(URL_OF_HOOK)
  const grant = `select tollgate.notify($1, 'quota.granted', 'test', '{"amount_tokens": "5"}', now())`
  await bench.db.query(grant, [home])
  const report = async (userId: string) => {
    const client = await bench.db.connect()
    try {
      await client.query('begin')
      await client.query(
        `select set_config('request.jwt.claim.sub', $1, true), set_config('request.jwt.claims', $2, true)`,
        [userId, JSON.stringify({ sub: userId, role: 'authenticated' })],
      )
      await client.query('set local role authenticated')
      const query = JSON.stringify({ organization_id: home })
      return (await client.query('select * from public.report_webhook_deliveries($1::jsonb)', [query])).rows
    } finally {
      await client.query('rollback')
      client.release()
    }
  }
  const rows = await report(await addUser(bench.db, home, 'admin'))
  expect(rows).toMatchObject([{ endpoint_url: URL_OF_HOOK, type: 'quota.granted', state: 'pending', attempts: 0 }])
  expect(JSON.stringify(rows)).not.toContain(endpoint.secret)
  expect(await report(await addUser(bench.db, home, 'user'))).toEqual([])
  expect(await report(await addUser(bench.db, await addOrganization(bench.db), 'admin'))).toEqual([])
})
