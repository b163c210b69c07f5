import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startProxy } from '@tollgate/local-stack'
import { createTestDatabase, createTestRedis, type TestDatabase } from '@tollgate/local-stack/testing'
import { createProducerConnection } from '@tollgate/shared/queues'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { refuseEviction } from '../src/readiness.ts'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, usageEvent } from './support/seed.ts'
import { newSecret } from './support/start-api.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')

let database: TestDatabase
let db: pg.Pool
let env: NodeJS.ProcessEnv
beforeAll(async () => {
  database = await createTestDatabase()
  const { redisUrl, prefix } = await createTestRedis()
  db = new pg.Pool({ connectionString: database.databaseUrl, max: 1 })
  env = {
    PATH: process.env.PATH,
    PORT: '0',
    REDIS_URL: redisUrl,
    REDIS_NAMESPACE: prefix,
    DATABASE_URL: database.urls['token-api'],
    SUPABASE_URL: 'http://127.0.0.1:9',
    SUPABASE_JWT_SECRET: newSecret(),
    LIBRECHAT_JWT_SECRET: newSecret(),
    JWT_REFRESH_SECRET: newSecret(),
  }
})
afterAll(async () => {
  await db.end()
  await database.drop()
})

/** Starts `main.ts` and collects what it writes. */
function start(changes: NodeJS.ProcessEnv): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [MAIN], { env: { ...env, ...changes }, stdio: 'pipe' })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, output: () => output }
}

const exitOf = async (child: ChildProcess) =>
  child.exitCode === null ? (await once(child, 'exit'))[0] : child.exitCode

test('SIGTERM answers what is under way, stops cleanly and soon, and logs no secret', async () => {
  const { child, output } = start({})
  const url = await vi.waitFor(() => {
    const found = /"url":"(http:[^"]+)"/.exec(output())?.[1]
    if (found === undefined) throw new Error(output())
    return found
  }, 60_000)
  await vi.waitFor(async () => expect((await call(url, '/readyz')).status).toBe(200), 60_000)
  const organization = await addOrganization(db)
  const user = await addUser(db, organization)
  const token = await addKey(db, ['events:write'])
  // No worker runs: without the signal this would wait for 20 s.
  const waiting = call(url, '/v1/events', {
    method: 'POST',
    token,
    json: usageEvent(organization, user),
    headers: { prefer: 'wait=20' },
  })
  await vi.waitFor(async () => {
    const { body } = await call<string>(url, '/metrics')
    expect(body).toMatch(/tollgate_events_accepted_total\{path="redis",service="token-api"\} 1/)
  }, 15_000)
  const begin = performance.now()
  child.kill('SIGTERM')
  expect(await waiting).toMatchObject({ status: 202, body: { accepted: 1 } })
  expect(await exitOf(child)).toBe(0)
  expect(performance.now() - begin).toBeLessThan(5_000)
  for (const secret of [
    env.LIBRECHAT_JWT_SECRET,
    env.JWT_REFRESH_SECRET,
    env.SUPABASE_JWT_SECRET,
    token,
    new URL(env.REDIS_URL ?? '').password,
  ]) {
    expect(output()).not.toContain(secret)
  }
})

test('a weak key ends the start, and names the variable but not its value', async () => {
  const { child, output } = start({ LIBRECHAT_JWT_SECRET: 'hunter2hunter2' })
  expect(await exitOf(child)).toBe(1)
  expect(output()).toContain('LIBRECHAT_JWT_SECRET: must be at least 32 bytes long')
  expect(output()).not.toContain('hunter2')
})

test('a Redis that breaks off while it is asked for its settings does not end the start', async () => {
  const target = new URL(env.REDIS_URL ?? '')
  const proxy = await startProxy(Number(target.port))
  const connection = createProducerConnection(Object.assign(target, { port: String(proxy.port) }).href, {
    onError: () => undefined,
  })
  try {
    await once(connection, 'ready')
    proxy.mode = 'cut'
    expect(await refuseEviction(connection)).toBe('unknown')
  } finally {
    connection.disconnect()
    await proxy.close()
  }
})

test('URL_TOKEN=access is warned of', async () => {
  const { child, output } = start({ URL_TOKEN: 'access' })
  await vi.waitFor(() => expect(output()).toContain('token-api is up'), 60_000)
  expect(output()).toMatch(/"level":"warn".*URL_TOKEN=access/)
  child.kill('SIGTERM')
  expect(await exitOf(child)).toBe(0)
})
