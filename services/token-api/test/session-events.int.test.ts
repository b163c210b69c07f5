import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startTestServers } from '@tollgate/local-stack/testing'
import { decodeJwt } from 'jose'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { newSecret, startApi } from './support/start-api.ts'
import { startWorker } from './support/worker.ts'

const ISSUED_BEFORE_KILL = 20
const MAIN = join(import.meta.dirname, '../src/main.ts')

let servers: Awaited<ReturnType<typeof startTestServers>>
let db: pg.Pool
let env: Record<string, string>
let signIn: string
beforeAll(async () => {
  servers = await startTestServers()
  db = new pg.Pool({ connectionString: servers.databaseUrl, max: 2 })
  db.on('error', () => undefined)
  env = {
    REDIS_URL: servers.redisUrl,
    DATABASE_URL: servers.databaseUrl,
    LIBRECHAT_JWT_SECRET: newSecret(),
    JWT_REFRESH_SECRET: newSecret(),
    SUPABASE_JWT_SECRET: newSecret(),
    SUPABASE_URL: 'http://127.0.0.1:9',
    PORT: '0',
  }
  const user = await addUser(db, await addOrganization(db))
  signIn = await signSupabaseToken(user, env.SUPABASE_JWT_SECRET ?? '')
}, 60_000)
afterAll(async () => {
  await db.end()
  await servers.stop()
})

async function startProcess(): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const url = await vi.waitFor(() => {
    const found = /"url":"(http:[^"]+)"/.exec(output)?.[1]
    if (found === undefined) throw new Error(output)
    return found
  }, 40_000)
  return { child, url }
}

const sidOf = (token: string): string => String(decodeJwt(token).sid)
const rowsOf = async (sids: string[]) =>
  (await db.query('select from tollgate.login_sessions where id = any($1)', [sids])).rowCount ?? 0

interface Kill {
  readonly redisAway?: boolean
  /** The process dies between two logins and not while some are under way. */
  readonly whenIdle?: boolean
}

/** Tokens that somebody holds after a process was killed that issued them, eight at a time, as fast as it could. */
async function issueUntilKilled({ redisAway = false, whenIdle = false }: Kill): Promise<string[]> {
  const issued: string[] = []
  const { child, url } = await startProcess()
  if (redisAway) await servers.redis.kill()
  const signInUntilKilled = async (): Promise<void> => {
    while (issued.length < ISSUED_BEFORE_KILL) {
      const login = { method: 'POST', token: signIn }
      const answer = await call<{ token?: string }>(url, '/api/librechat/auth', login).catch(() => undefined)
      if (answer?.body.token !== undefined) issued.push(sidOf(answer.body.token))
      if (!whenIdle && issued.length >= ISSUED_BEFORE_KILL) child.kill('SIGKILL')
    }
  }
  await Promise.all(Array.from({ length: 8 }, signInUntilKilled))
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  if (redisAway) await servers.redis.start()
  return issued
}

test('a token that was issued has its login.started, though Redis was away and the process was killed at that moment', async () => {
  const issued: string[] = []
  for (const redisAway of [false, true, false]) issued.push(...(await issueUntilKilled({ redisAway })))
  expect(issued.length).toBeGreaterThanOrEqual(3 * ISSUED_BEFORE_KILL)
  expect(await rowsOf(issued)).toBe(issued.length)

  const survivor = await startApi(env)
  const worker = startWorker(servers.redisUrl, servers.databaseUrl)
  try {
    const started = () => new Set(worker.seen.flatMap((event) => (event.type === 'login.started' ? event.id : [])))
    await vi.waitFor(() => expect(issued.filter((sid) => !started().has(sid))).toEqual([]), { timeout: 30_000 })
  } finally {
    await worker.stop()
    await survivor.stop()
  }
}, 150_000)

// Answers first and writes with the next call of the same connection, as a service that records behind its answers does.
const RECORD_BEHIND = `
  alter function public.start_logins(jsonb) rename to start_logins_now;
  create function public.start_logins(batch jsonb) returns table (session_id uuid, login jsonb, signed_out boolean)
  language plpgsql as $$
  begin
    if coalesce(current_setting('test.behind', true), '') <> '' then
      perform public.start_logins_now(current_setting('test.behind')::jsonb);
    end if;
    perform set_config('test.behind', batch::text, false);
    return query select (l ->> 'session_id')::uuid, to_jsonb(f), false
      from jsonb_array_elements(tollgate.unwrap(batch) -> 'logins') l
      cross join lateral public.find_login((l ->> 'user_id')::uuid) f;
  end $$`

test('sensitivity: with a build that answers before it records, tokens without their login are found', async () => {
  await db.query(RECORD_BEHIND)
  const issued = await issueUntilKilled({ whenIdle: true })
  expect(await rowsOf(issued)).toBeLessThan(issued.length)
}, 90_000)
