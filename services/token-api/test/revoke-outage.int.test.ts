import { startTestServers } from '@tollgate/local-stack/testing'
import { decodeJwt } from 'jose'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { newSecret, startApi, type TestApi } from './support/start-api.ts'

let servers: Awaited<ReturnType<typeof startTestServers>>
let db: pg.Pool
let apis: TestApi[]
let token: string
let key: string
beforeAll(async () => {
  servers = await startTestServers()
  db = new pg.Pool({ connectionString: servers.databaseUrl, max: 1 })
  db.on('error', () => undefined)
  const supabaseSecret = newSecret()
  const env = {
    REDIS_URL: servers.redisUrl,
    DATABASE_URL: servers.databaseUrl,
    LIBRECHAT_JWT_SECRET: newSecret(),
    JWT_REFRESH_SECRET: newSecret(),
    SUPABASE_JWT_SECRET: supabaseSecret,
  }
  apis = [await startApi(env), await startApi(env)]
  key = await addKey(db, ['tokens:revoke'])
  const user = await addUser(db, await addOrganization(db))
  const login = { method: 'POST', token: await signSupabaseToken(user, supabaseSecret) }
  token = (await call<{ token: string }>(apis[0]?.url ?? '', '/api/librechat/auth', login)).body.token
}, 120_000)
afterAll(async () => {
  for (const api of apis) await api.stop()
  await db.end()
  await servers.stop()
})

const statuses = () => Promise.all(apis.map(async ({ url }) => (await call(url, '/api/auth/verify', { token })).status))
const revoke = () =>
  call(apis[0]?.url ?? '', '/oauth/revoke', {
    method: 'POST',
    token: key,
    json: new URLSearchParams({ token }).toString(),
    type: 'application/x-www-form-urlencoded',
  })

test('Redis away: the revocation is on record, the answer is 503, every gate refuses by itself, a repetition completes it', async () => {
  await vi.waitFor(async () => expect(await statuses()).toEqual([200, 200]), { timeout: 15_000 })
  await servers.redis.kill()
  const answer = await revoke()
  expect(answer).toMatchObject({ status: 503, body: { detail: expect.stringContaining('on record') } })
  expect(answer.headers.get('retry-after')).toBe('1')
  const { rowCount } = await db.query('select from tollgate.token_revocations where id = $1', [decodeJwt(token).jti])
  expect(rowCount).toBe(1)
  // The other gate reads Postgres while it hears nothing.
  await vi.waitFor(async () => expect(await statuses()).toEqual([401, 401]), { timeout: 15_000 })
  await servers.redis.start()
  await vi.waitFor(async () => expect((await revoke()).status).toBe(200), { timeout: 15_000 })
  expect(await statuses()).toEqual([401, 401])
}, 60_000)
