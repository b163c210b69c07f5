import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createTestDatabase, createTestRedis, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken, usageEvent } from './support/seed.ts'
import { newSecret } from './support/start-api.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')
let database: TestDatabase
let db: pg.Pool
let env: Record<string, string>

beforeAll(async () => {
  database = await createTestDatabase()
  const { redisUrl, prefix } = await createTestRedis()
  db = new pg.Pool({ connectionString: database.databaseUrl, max: 1 })
  db.on('error', () => undefined)
  env = {
    PORT: '0',
    REDIS_URL: redisUrl,
    REDIS_NAMESPACE: prefix,
    DATABASE_URL: database.urls['token-api'],
    SUPABASE_URL: 'http://127.0.0.1:9',
    SUPABASE_JWT_SECRET: newSecret(),
    LIBRECHAT_JWT_SECRET: newSecret(),
    JWT_REFRESH_SECRET: newSecret(),
    TOLLGATE_OPERATOR_KEY: `tg_${newSecret()}`,
    SUPABASE_SECRET_KEY: newSecret(),
    JWT_PREVIOUS_SECRETS: newSecret(),
    WEBHOOK_SECRET_KEYS: newSecret(),
  }
})
afterAll(async () => {
  await db.end()
  await database.drop()
})

/** Runs the service as it runs in production and gives what it wrote. */
async function run(changes: Record<string, string>, work: (url: string) => Promise<void>): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...env, ...changes },
    stdio: 'pipe',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  const url = await vi.waitFor(() => {
    const found = /"url":"(http:[^"]+)"/.exec(output)?.[1]
    if (found === undefined) throw new Error(output)
    return found
  }, 30_000)
  await vi.waitFor(async () => expect((await call(url, '/readyz')).status).toBe(200), 30_000)
  await work(url)
  child.kill('SIGTERM')
  await once(child, 'exit')
  return output
}

/** Everything secret that a run used, as it was used. */
const leaksIn = (output: string, secrets: readonly string[]): string[] =>
  secrets.filter((secret) => output.includes(secret))

interface Login {
  token: string
  refresh_token: string
  url: string
  id: string
  key: string
  secret: string
}

/** Goes through the proxy's door and asks with its cookie, well and badly; gives the value of the cookie. */
async function enter(url: string, session: string): Promise<string> {
  const { search } = new URL((await call<Login>(url, '/api/librechat/auth', { token: session })).body.url)
  const arrival = await fetch(`${url}/v1/handoff${search}`, { redirect: 'manual' })
  const cookie = arrival.headers.getSetCookie()[0]?.split(';', 1)[0] ?? ''
  expect(cookie).toMatch(/^__Host-tollgate=.{20}/)
  for (const value of [cookie, `${cookie}x`, `${cookie}; ${cookie}`]) {
    for (const path of ['/v1/forward-auth', '/v1/forward-auth/page']) {
      await call(url, path, { headers: { cookie: value } })
    }
  }
  return cookie.slice(cookie.indexOf('=') + 1)
}

/** Uses every kind of credential, well and badly, and gives all of them. */
async function useSecrets(url: string): Promise<string[]> {
  const organization = await addOrganization(db)
  const user = await addUser(db, organization, 'super_admin')
  const { rows } = await db.query('select email from public.profiles where id = $1', [user])
  const session = await signSupabaseToken(user, env.SUPABASE_JWT_SECRET ?? '')
  const ingest = await addKey(db, ['events:write'])
  const post = (path: string, token: string | undefined, json?: unknown) =>
    call<Login>(url, path, { method: 'POST', ...(token ? { token } : {}), ...(json === undefined ? {} : { json }) })

  const login = (await post('/api/librechat/auth', session)).body
  const handoff = new URL((await call<Login>(url, '/api/librechat/auth', { token: session })).body.url)
  const urlToken = handoff.searchParams.get('token') ?? ''
  await call(url, `/v1/handoff?token=${urlToken}&org=x`)
  const visitor = await enter(url, session)
  await call(url, `/nowhere?token=${urlToken}&access_token=${login.token}`)
  const refreshed = (await post('/api/librechat/refresh', undefined, { refresh_token: login.refresh_token })).body
  await post('/api/librechat/refresh', undefined, { refresh_token: `${login.refresh_token}x` })
  const made = (await post('/v1/keys', env.TOLLGATE_OPERATOR_KEY, { name: 'n', scopes: ['usage:read'] })).body
  const rotated = (await post(`/v1/keys/${made.id}/rotate`, env.TOLLGATE_OPERATOR_KEY, {})).body
  const webhooks = `/v1/organizations/${organization}/webhooks`
  const order = { url: 'https://hooks.example.com/', types: ['quota.revoked'] }
  const webhook = (await post(webhooks, env.TOLLGATE_OPERATOR_KEY, order)).body
  const turned = (await post(`${webhooks}/${webhook.id}/rotate`, env.TOLLGATE_OPERATOR_KEY, {})).body
  await post('/v1/events', ingest, usageEvent(organization, user))
  await post('/v1/events', login.token, `{"broken": "${login.token}"`)
  await post('/v1/keys', session, { name: made.key, scopes: [made.key] })
  for (const token of [login.token, refreshed.token, `${login.token}x`, ingest, session]) {
    await call(url, '/api/auth/verify', { token, headers: { cookie: `a=${refreshed.refresh_token}` } })
  }
  // Faults on our side are logged with what caused them.
  await db.query('alter table tollgate.service_keys rename to service_keys_away')
  await post('/v1/keys', env.TOLLGATE_OPERATOR_KEY, { name: 'n', scopes: ['usage:read'] })
  await call(url, `/v1/organizations/${organization}/quota`, { token: made.key })
  await db.query('alter table tollgate.service_keys_away rename to service_keys')

  return [
    ...[login.token, login.refresh_token, urlToken, refreshed.token, refreshed.refresh_token],
    ...[made.key, rotated.key, webhook.secret, turned.secret, ingest, session, rows[0].email, visitor],
  ]
}

const ownSecrets = (): string[] => {
  const { REDIS_URL = '', DATABASE_URL = '' } = env
  const names = [
    ...['SUPABASE_JWT_SECRET', 'SUPABASE_SECRET_KEY', 'LIBRECHAT_JWT_SECRET', 'JWT_PREVIOUS_SECRETS'],
    ...['JWT_REFRESH_SECRET', 'TOLLGATE_OPERATOR_KEY', 'WEBHOOK_SECRET_KEYS'],
  ]
  const passwords = [REDIS_URL, DATABASE_URL].map((url) => new URL(url).password)
  return [...names.map((name) => env[name] ?? ''), ...passwords].filter((secret) => secret !== '')
}

describe.each(['DEBUG', 'LIBRECHAT_DEBUG'])('with %s=true', (variable) => {
  test('the log says more, and holds no secret, token or address of the whole run', async () => {
    let used: string[] = []
    const output = await run({ [variable]: 'true' }, async (url) => {
      used = await useSecrets(url)
    })
    const secrets = [...ownSecrets(), ...used]
    expect(secrets.every((secret) => secret.length > 8)).toBe(true)
    expect(leaksIn(output, secrets)).toEqual([])
    expect(output).toContain('"level":"debug"')
    expect(output).toMatch(/"route":"\/v1\/keys\/:id\/rotate"/)
    expect(output).toContain('"level":"error"')
    // The search finds what it looks for.
    expect(leaksIn(`${output}${used[0]}`, secrets)).toEqual([used[0]])
  })
})

test('without them it says nothing of requests that went well', async () => {
  const output = await run({}, async (url) => {
    await call(url, '/openapi.json')
  })
  expect(output).not.toContain('"level":"debug"')
  expect(output).not.toContain('openapi')
})
