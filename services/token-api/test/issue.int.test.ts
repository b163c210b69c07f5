import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'

interface Tokens {
  readonly token: string
  readonly refresh_token: string
}
interface Organization {
  readonly librechat_config: { readonly knowledge_bases: readonly string[] }
}

let bench: Bench
let organization: string
let own: string
let operator: string
beforeAll(async () => {
  bench = await openBench()
  organization = await addOrganization(bench.db)
  own = await addKey(bench.db, ['tokens:issue'], organization)
  operator = await addKey(bench.db, ['tokens:issue'])
})
afterAll(() => bench.stop())

const issue = (token: string, user_id: string) =>
  call<{ token: string }>(bench.api.url, '/v1/tokens', { method: 'POST', token, json: { user_id } })

describe('a token that a server asks for', () => {
  test("an organization's key gets none of a super_admin, though the profile is in the organization", async () => {
    const staff = await addUser(bench.db, organization, 'super_admin')
    expect(await issue(own, staff)).toMatchObject({ status: 403, body: { reason: 'user_out_of_reach' } })
    expect((await issue(own, await addUser(bench.db, organization, 'admin'))).status).toBe(201)
    expect((await issue(operator, staff)).status).toBe(201)
  })

  test('is on record, with the key as the actor', async () => {
    const user = await addUser(bench.db, organization)
    const { body } = await issue(own, user)
    const { rows } = await bench.db.query(
      `select a.actor, a.organization_id, a.details ->> 'session_id' as sid, k.organization_id as of
       from tollgate.audit_log a join tollgate.service_keys k on a.actor = 'key:' || k.id
       where a.action = 'access_token.issued' and a.target = 'user:' || $1`,
      [user],
    )
    expect(rows).toMatchObject([{ sid: decodeJwt(body.token).sid, organization_id: organization, of: organization }])
    await issue(own, randomUUID())
    await call(bench.api.url, '/api/librechat/auth', {
      method: 'POST',
      token: await signSupabaseToken(user, bench.secrets.supabase),
    })
    const trail = await bench.db.query(`select from tollgate.audit_log where target = 'user:' || $1`, [user])
    expect(trail.rowCount).toBe(1)
  })
})

describe('what was changed', () => {
  let second: TestApi
  beforeAll(async () => {
    second = await startApi(bench.env)
  })
  afterAll(() => second.stop())

  /** An organization whose config is counted up, and the login of its user. */
  async function addCounted() {
    const home = await addOrganization(bench.db, { knowledge_bases: ['0'] })
    const user = await addUser(bench.db, home)
    const login = { method: 'POST', token: await signSupabaseToken(user, bench.secrets.supabase) }
    const count = (to: number) =>
      bench.db.query('update public.organizations set librechat_config = $2, name = $3 where id = $1', [
        home,
        JSON.stringify({ knowledge_bases: [String(to)] }),
        `Acme ${to}`,
      ])
    return { user, login, count }
  }
  const refresh = (url: string, refresh_token: string) =>
    call<Tokens>(url, '/api/librechat/refresh', { method: 'POST', json: { refresh_token } })

  test('is in the next token of every instance: config, plan, profile', async () => {
    const { user, login, count } = await addCounted()
    for (let round = 1; round <= 6; round++) {
      const name = `Ada ${round}`
      await count(round)
      await bench.db.query('update public.profiles set full_name = $2 where id = $1', [user, name])
      const [one = '', other = ''] = round % 2 === 0 ? [bench.api.url, second.url] : [second.url, bench.api.url]
      const { body } = await call<Tokens>(one, '/api/librechat/auth', login)
      for (const token of [body.token, (await refresh(other, body.refresh_token)).body.token]) {
        const said = { name: `Acme ${round}`, librechat_config: { knowledge_bases: [String(round)] } }
        expect(decodeJwt(token)).toMatchObject({ name, organization: said })
      }
    }
  })

  test('nothing stale is signed for who asks after it, on any instance, whatever is under way', async () => {
    const { login, count } = await addCounted()
    const urls = [bench.api.url, second.url]
    const logIn = (url: string) => call<Tokens>(url, '/api/librechat/auth', login)
    const tokens = await Promise.all(urls.map(async (url) => (await logIn(url)).body.refresh_token))
    const refreshes = () => urls.map((url, index) => refresh(url, tokens[index] ?? ''))
    const counted = async (answers: Promise<{ body: Tokens }>[]) =>
      (await Promise.all(answers)).map(
        ({ body }) =>
          decodeJwt<{ organization: Organization }>(body.token).organization.librechat_config.knowledge_bases,
      )
    // Two that have read what holds, and cannot commit yet.
    const holder = await bench.db.connect()
    await holder.query('begin; lock table tollgate.session_event_outbox in exclusive mode')
    const before = refreshes()
    const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      and query like '%continue_login%'`
    await vi.waitFor(async () => expect((await bench.db.query(waiting)).rowCount).toBe(2), {
      interval: 10,
      timeout: 10_000,
    })
    await count(1)
    const after = [...refreshes(), ...refreshes(), ...urls.map(logIn)]
    // Whoever was sent before these has arrived.
    await Promise.all(urls.map((url) => call(url, '/livez')))
    await holder.query('commit')
    holder.release()
    expect(await counted(before)).toEqual([['0'], ['0']])
    expect(await counted(after)).toEqual(Array(6).fill(['1']))
  })
})

test('with ENFORCEMENT_MODE=observe a revoked organization signs in and refreshes, without it neither', async () => {
  const observing = await startApi({ ...bench.env, ENFORCEMENT_MODE: 'observe' })
  try {
    const revoked = await addOrganization(bench.db)
    const token = await signSupabaseToken(await addUser(bench.db, revoked), bench.secrets.supabase)
    await bench.db.query(
      `insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
       values ($1, 'revoked', 1, '2026-11-01', '2026-12-01', 'x')`,
      [revoked],
    )
    const login = (url: string) =>
      call<{ token: string; refresh_token: string }>(url, '/api/librechat/auth', { method: 'POST', token })
    const refresh = (url: string, refresh_token: string) =>
      call<{ refresh_token: string }>(url, '/api/librechat/refresh', { method: 'POST', json: { refresh_token } })
    const { status, body } = await login(observing.url)
    expect(status).toBe(200)
    await vi.waitFor(async () => {
      expect((await call(observing.url, '/api/auth/verify', { token: body.token })).status).toBe(200)
    }, 10_000)
    expect((await login(bench.api.url)).status).toBe(403)
    expect((await refresh(bench.api.url, body.refresh_token)).status).toBe(403)
    expect((await refresh(observing.url, body.refresh_token)).status).toBe(200)
  } finally {
    await observing.stop()
  }
})

test('GATE_FAIL_MODE=open opens no gate that never loaded anything', async () => {
  const token = (await issue(operator, await addUser(bench.db, organization))).body.token
  const blind = await startApi({
    ...bench.env,
    GATE_FAIL_MODE: 'open',
    DATABASE_URL: 'postgres://nobody:nothing@127.0.0.1:9/none',
    REDIS_URL: 'redis://127.0.0.1:9',
  })
  try {
    const answer = await call(blind.url, '/api/auth/verify', { token })
    expect(answer).toMatchObject({ status: 503, body: { reason: 'gate_unavailable' } })
  } finally {
    await blind.stop()
  }
})
