import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, newSecret, openBench, startApi } from './support/start-api.ts'

let bench: Bench
let userId: string
let supabaseToken: string
beforeAll(async () => {
  bench = await openBench({ auth: true })
})
afterAll(() => bench.stop())
beforeEach(async () => {
  userId = await addUser(bench.db, await addOrganization(bench.db), 'admin')
  supabaseToken = await signSupabaseToken(userId, bench.secrets.supabase)
})

/** Uses a handoff at an instance; gives the answer, with its cookie where there is one. */
async function arrive(url: string, search: string): Promise<{ status: number; cookie: string }> {
  const answer = await fetch(`${url}/v1/handoff${search}`, { redirect: 'manual' })
  return { status: answer.status, cookie: answer.headers.getSetCookie()[0]?.split(';', 1)[0] ?? '' }
}
const ask = async (url: string): Promise<string> => {
  const { body } = await call<{ url: string }>(url, '/api/librechat/auth', { token: supabaseToken })
  return new URL(body.url).search
}
const forward = (url: string, cookie: string) => call(url, '/v1/forward-auth', { headers: { cookie } })
const untilReady = (url: string) =>
  vi.waitFor(async () => expect((await call(url, '/readyz')).status).toBe(200), { timeout: 30_000 })

test.each(['Postgres itself', 'supabase-js alone'])(
  'a session over %s: opened once, known, ended',
  async (transport) => {
    const { DATABASE_URL: direct = '', ...env } = bench.env
    const store: Record<string, string> =
      transport === 'Postgres itself'
        ? { DATABASE_URL: direct }
        : { SUPABASE_SECRET_KEY: bench.supabase?.secretKey ?? '' }
    const api = await startApi({ ...env, ...store })
    try {
      await untilReady(api.url)
      const search = await ask(api.url)
      const { status, cookie } = await arrive(api.url, search)
      expect(status).toBe(303)
      const passed = await forward(api.url, cookie)
      expect(passed).toMatchObject({ status: 200, body: '' })
      expect(Object.fromEntries(passed.headers)).toMatchObject({
        'x-tollgate-user': userId,
        'x-tollgate-role': 'admin',
      })
      expect((await arrive(api.url, search)).status).toBe(403)
      expect(await forward(api.url, cookie)).toMatchObject({ status: 401, body: { reason: 'session_ended' } })
    } finally {
      await api.stop()
    }
  },
)

test('sessions and links outlive a new secret, if the one before is named', async () => {
  await untilReady(bench.api.url)
  const { cookie } = await arrive(bench.api.url, await ask(bench.api.url))
  const search = await ask(bench.api.url)
  const changes = { LIBRECHAT_JWT_SECRET: newSecret() }
  const apis = [
    await startApi({ ...bench.env, ...changes, JWT_PREVIOUS_SECRETS: bench.secrets.libreChat }),
    await startApi({ ...bench.env, ...changes }),
  ]
  try {
    const [known = '', other = ''] = apis.map(({ url }) => url)
    await Promise.all([untilReady(known), untilReady(other)])
    expect(await forward(other, cookie)).toMatchObject({ status: 401, body: { reason: 'malformed' } })
    expect((await arrive(other, search)).status).toBe(403)
    expect((await forward(known, cookie)).status).toBe(200)
    expect((await arrive(known, search)).status).toBe(303)
  } finally {
    for (const api of apis) await api.stop()
  }
})

test('URL_TOKEN=access: a revoked access token opens no session, and what it opened ends', async () => {
  const api = await startApi({ ...bench.env, URL_TOKEN: 'access' })
  try {
    await Promise.all([untilReady(api.url), untilReady(bench.api.url)])
    const [search, other] = [await ask(api.url), await ask(api.url)]
    const { cookie } = await arrive(api.url, search)
    const kept = await arrive(api.url, other)
    for (const url of [api.url, bench.api.url]) expect((await forward(url, cookie)).status).toBe(200)
    const revoked = await call(api.url, '/oauth/revoke', {
      method: 'POST',
      token: await addKey(bench.db, ['tokens:revoke']),
      json: { token: new URLSearchParams(search).get('token') },
    })
    expect(revoked.status).toBe(200)
    for (const url of [api.url, bench.api.url]) {
      expect(await forward(url, cookie)).toMatchObject({ status: 401, body: { reason: 'revoked' } })
      expect((await forward(url, kept.cookie)).status).toBe(200)
    }
    expect((await arrive(api.url, search)).status).toBe(403)
    expect((await arrive(api.url, other)).status).toBe(303)
  } finally {
    await api.stop()
  }
})

describe('a session ends', () => {
  let cookie: string
  beforeEach(async () => {
    await untilReady(bench.api.url)
    cookie = (await arrive(bench.api.url, await ask(bench.api.url))).cookie
    expect((await forward(bench.api.url, cookie)).status).toBe(200)
  })

  test('when its user signs out everywhere, before that is answered', async () => {
    const login = { method: 'POST', token: supabaseToken }
    const { body } = await call<{ refresh_token: string }>(bench.api.url, '/api/librechat/auth', login)
    const json = { refresh_token: body.refresh_token, all: true }
    const logout = await call(bench.api.url, '/api/librechat/logout', { method: 'POST', json })
    expect(logout).toMatchObject({ status: 200, body: { ended: 2 } })
    expect(await forward(bench.api.url, cookie)).toMatchObject({ status: 401, body: { reason: 'session_ended' } })
  })

  test.each([
    ['has left the organization', 'update public.profiles set organization_id = null where id = $1'],
    ['was deleted', 'delete from auth.users where id = $1'],
  ])('when its user %s: at first sight at once', async (_what, sql) => {
    await bench.db.query(sql, [userId])
    const second = await startApi(bench.env)
    try {
      await untilReady(second.url)
      expect(await forward(second.url, cookie)).toMatchObject({ status: 401, body: { reason: 'session_ended' } })
    } finally {
      await second.stop()
    }
  })
})
