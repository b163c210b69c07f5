import { startTestServers } from '@tollgate/local-stack/testing'
import { Redis } from 'ioredis'
import { decodeJwt } from 'jose'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { gateKeys } from '../src/gate/gate-keys.ts'
import { sampleEnforcement } from '../src/testing/claims.ts'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken, usageEvent } from './support/seed.ts'
import { newSecret, startApi, type TestApi } from './support/start-api.ts'

let servers: Awaited<ReturnType<typeof startTestServers>>
let db: pg.Pool
let apis: TestApi[]
let env: Record<string, string>
let organization: string
let user: string
let token: string
let key: string
let ingestKey: string
beforeAll(async () => {
  servers = await startTestServers()
  db = new pg.Pool({ connectionString: servers.databaseUrl, max: 1 })
  db.on('error', () => undefined)
  env = {
    REDIS_URL: servers.redisUrl,
    DATABASE_URL: servers.databaseUrl,
    LIBRECHAT_JWT_SECRET: newSecret(),
    JWT_REFRESH_SECRET: newSecret(),
    SUPABASE_JWT_SECRET: newSecret(),
  }
  apis = [await startApi(env), await startApi(env)]
  key = await addKey(db, ['tokens:revoke'])
  ingestKey = await addKey(db, ['events:write'])
  organization = await addOrganization(db)
  user = await addUser(db, organization)
  token = await logIn()
}, 120_000)
afterAll(async () => {
  for (const api of apis) await api.stop()
  await db.end()
  await servers.stop()
})

async function logIn(): Promise<string> {
  const login = { method: 'POST', token: await signSupabaseToken(user, env.SUPABASE_JWT_SECRET ?? '') }
  return (await call<{ token: string }>(apis[0]?.url ?? '', '/api/librechat/auth', login)).body.token
}
const verify = (url: string) => call(url, '/api/auth/verify', { token })
const statuses = () => Promise.all(apis.map(async ({ url }) => (await verify(url)).status))
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

test('a revocation that Redis missed reaches its copy by itself, for who starts while Postgres is away', async () => {
  token = await logIn()
  await servers.redis.kill()
  expect((await revoke()).status).toBe(503)
  await servers.redis.start()
  const redis = new Redis(servers.redisUrl)
  redis.on('error', () => undefined)
  const keys = gateKeys('tollgate')
  try {
    // Nobody repeats the request, and the copy was called complete before.
    expect(await redis.exists(keys.complete)).toBe(1)
    const member = `jti ${decodeJwt(token).jti}`
    await vi.waitFor(async () => expect(await redis.zscore(keys.revocations, member)).not.toBeNull(), 20_000)
    const active = sampleEnforcement({ organization_id: organization, state: 'active', version: 0 })
    await redis.hset('tollgate:enforcement', organization, JSON.stringify(active))
    await servers.postgres.kill()
    const late = await startApi(env)
    await vi.waitFor(async () => expect(await verify(late.url)).toMatchObject({ body: { reason: 'revoked' } }), 15_000)
    await late.stop()
  } finally {
    redis.disconnect()
    await servers.postgres.start()
  }
}, 60_000)

test('an instance that starts while Postgres is away takes the enforcement from Redis', async () => {
  const revoked = sampleEnforcement({ organization_id: organization, state: 'revoked', revision: '1000' })
  const late = async () => startApi({ ...env, REDIS_NAMESPACE: 'late' })
  const redis = new Redis(servers.redisUrl)
  await servers.postgres.kill()
  try {
    const blind = await late()
    // Neither an empty hash nor revocations that may be incomplete are knowledge: such a Redis may have been wiped.
    for (const end = Date.now() + 1_200; Date.now() < end; ) expect((await verify(blind.url)).status).toBe(503)
    await redis.hset('late:enforcement', organization, JSON.stringify(revoked))
    for (const end = Date.now() + 1_200; Date.now() < end; ) expect((await verify(blind.url)).status).toBe(503)
    await redis.set('{late:gate}:complete', '1')
    await vi.waitFor(async () => expect((await verify(blind.url)).status).toBe(403), 15_000)
    await blind.stop()
  } finally {
    redis.disconnect()
    await servers.postgres.start()
  }
})

test('an instance that starts while both are away refuses until they are back', async () => {
  await Promise.all([servers.redis.kill(), servers.postgres.kill()])
  const late = await startApi(env)
  try {
    expect((await call(late.url, '/readyz')).status).toBe(503)
    await Promise.all([servers.redis.start(), servers.postgres.start()])
    await vi.waitFor(async () => expect((await call(late.url, '/readyz')).status).toBe(200), 15_000)
    const answer = await call(late.url, '/v1/events', {
      method: 'POST',
      token: ingestKey,
      json: usageEvent(organization, user),
    })
    expect(answer.status).toBe(202)
  } finally {
    await late.stop()
  }
})
