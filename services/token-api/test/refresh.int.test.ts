import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { logIn, refresh } from './support/login.ts'
import { addOrganization, addUser } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'
import { startWorker, type TestWorker } from './support/worker.ts'

let bench: Bench
let second: TestApi
let worker: TestWorker
beforeAll(async () => {
  bench = await openBench({ env: { CORS_ORIGINS: 'https://app.example' } })
  second = await startApi(bench.env)
  worker = startWorker(bench.env.REDIS_URL ?? '', bench.workerUrl)
})
afterAll(async () => {
  await worker.stop()
  await second.stop()
  await bench.stop()
})

const verify = async (token: string, url = bench.api.url) => (await call(url, '/api/auth/verify', { token })).status
const session = async (sid: string) =>
  (await bench.db.query('select * from tollgate.login_sessions where id = $1', [sid])).rows[0]
const age = (sid: string, seconds: number) =>
  bench.db.query(
    `update tollgate.login_sessions set rotated_at = rotated_at - make_interval(secs => $2) where id = $1`,
    [sid, seconds],
  )

describe('a refresh', () => {
  test('gives a new access token of the same login session and the successor, and keeps hashes alone', async () => {
    const login = await logIn(bench)
    const { status, body, headers } = await refresh(bench.api.url, login.refreshToken)
    expect(status).toBe(200)
    expect(headers.get('set-cookie')).toMatch(
      /^__Secure-tollgate-refresh=eyJ[^;]+; Max-Age=604800; Path=\/api\/librechat; HttpOnly; Secure; SameSite=None/,
    )
    const claims = decodeJwt(body.token)
    expect(claims).toMatchObject({ sid: login.sid, sub: login.user })
    expect(claims.jti).not.toBe(decodeJwt(login.token).jti)
    expect(await verify(body.token)).toBe(200)
    expect(body.refresh_token).not.toBe(login.refreshToken)
    const row = await session(login.sid)
    expect(row.refresh_hash).toEqual(createHash('sha256').update(body.refresh_token).digest())
    const { rows } = await bench.db.query('select row_to_json(s)::text as text from tollgate.login_sessions s')
    expect(JSON.stringify(rows)).not.toContain('eyJ')
    expect((await refresh(second.url, body.refresh_token)).status).toBe(200)
  })

  test('by two tabs, or after a lost answer, gives the same successor to both', async () => {
    const login = await logIn(bench)
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => refresh(i % 2 ? bench.api.url : second.url, login.refreshToken)),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200))
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1)
    expect(await session(login.sid)).toMatchObject({ generation: 1, ended_at: null })
    const next = await refresh(bench.api.url, answers[0]?.body.refresh_token ?? '')
    expect(next.status).toBe(200)
  })

  test('with a token that was used before ends the whole family, on every instance and before the answer', async () => {
    const login = await logIn(bench)
    const first = await refresh(bench.api.url, login.refreshToken)
    await age(login.sid, 11)
    const replay = await refresh(bench.api.url, login.refreshToken)
    expect(replay).toMatchObject({ status: 401, body: { reason: 'refresh_reused' } })
    for (const url of [bench.api.url, second.url]) {
      expect(await call(url, '/api/auth/verify', { token: first.body.token })).toMatchObject({
        status: 401,
        body: { reason: 'session_ended' },
      })
      expect((await refresh(url, first.body.refresh_token)).body.reason).toBe('session_ended')
    }
    expect(await session(login.sid)).toMatchObject({ end_reason: 'refresh_reused' })
  })

  test('with the grandparent within the grace is a replay all the same', async () => {
    const login = await logIn(bench)
    const first = await refresh(bench.api.url, login.refreshToken)
    await refresh(bench.api.url, first.body.refresh_token)
    expect((await refresh(bench.api.url, login.refreshToken)).body.reason).toBe('refresh_reused')
  })

  test('stops at the absolute end of the login session', async () => {
    const login = await logIn(bench)
    const { end, exp, iat } = decodeJwt<{ end: number }>(login.refreshToken)
    expect([end - (iat ?? 0), (exp ?? 0) - (iat ?? 0)]).toEqual([2_592_000, 604_800])
    await bench.db.query(`update tollgate.login_sessions set ends_at = now() where id = $1`, [login.sid])
    expect((await refresh(bench.api.url, login.refreshToken)).body.reason).toBe('expired')
  })

  test('is refused to a user who has moved, was deleted, or whose organization is revoked', async () => {
    const revoked = await logIn(bench)
    await bench.db.query(
      `insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
       values ($1, 'revoked', 1, '2026-11-01', '2026-12-01', 'x')`,
      [revoked.organization],
    )
    expect(await refresh(bench.api.url, revoked.refreshToken)).toMatchObject({
      status: 403,
      body: { reason: 'organization_revoked' },
    })
    expect(await session(revoked.sid)).toMatchObject({ ended_at: null, generation: 0 })

    const moved = await logIn(bench)
    await bench.db.query('update public.profiles set organization_id = $2 where id = $1', [
      moved.user,
      await addOrganization(bench.db),
    ])
    expect((await refresh(bench.api.url, moved.refreshToken)).body.reason).toBe('session_ended')
    expect([await verify(moved.token), await verify(moved.token, second.url)]).toEqual([401, 401])

    const deleted = await logIn(bench)
    await bench.db.query('delete from auth.users where id = $1', [deleted.user])
    expect((await refresh(bench.api.url, deleted.refreshToken)).body.reason).toBe('session_ended')
  })
})

describe('a logout', () => {
  const logout = (json: object, url = bench.api.url) => call(url, '/api/librechat/logout', { method: 'POST', json })

  test('ends one login session, on every instance by the time it is answered', async () => {
    const login = await logIn(bench)
    const other = await logIn(bench, login)
    expect(await logout({ refresh_token: login.refreshToken })).toMatchObject({ status: 200, body: { ended: 1 } })
    expect([await verify(login.token), await verify(login.token, second.url)]).toEqual([401, 401])
    expect((await refresh(second.url, login.refreshToken)).body.reason).toBe('session_ended')
    expect(await verify(other.token)).toBe(200)
    expect(await logout({ refresh_token: login.refreshToken })).toMatchObject({ status: 200, body: { ended: 0 } })
  })

  test('of all ends every login session of the user and of nobody else', async () => {
    const login = await logIn(bench)
    const [other, stranger] = [await logIn(bench, login), await logIn(bench, { organization: login.organization })]
    const answer = await logout({ refresh_token: login.refreshToken, all: true }, second.url)
    expect(answer).toMatchObject({ status: 200, body: { ended: 2 } })
    expect([await verify(login.token), await verify(other.token), await verify(stranger.token)]).toEqual([
      401, 401, 200,
    ])
  })

  test('of all is refused to a token that is good no more: it ends its own login session alone', async () => {
    const [used, ended] = [await logIn(bench), await logIn(bench)]
    const [phone, laptop] = [await logIn(bench, used), await logIn(bench, ended)]
    await refresh(bench.api.url, used.refreshToken)
    const answer = await logout({ refresh_token: used.refreshToken, all: true })
    expect(answer).toMatchObject({ status: 200, body: { ended: 1, all: false } })
    await logout({ refresh_token: ended.refreshToken })
    expect((await logout({ refresh_token: ended.refreshToken, all: true })).body).toEqual({ ended: 0, all: false })
    expect([await verify(used.token), await verify(phone.token), await verify(laptop.token)]).toEqual([401, 200, 200])
  })

  test('that failed leaves the cookie, and can be repeated', async () => {
    const login = await logIn(bench)
    const leave = () =>
      call(bench.api.url, '/api/librechat/logout', {
        method: 'POST',
        headers: { cookie: `__Secure-tollgate-refresh=${login.refreshToken}` },
      })
    const rename = (from: string, to: string) => bench.db.query(`alter function public.${from} rename to ${to}`)
    await rename('revoke_logins', 'revoke_logins_away')
    const failed = await leave().finally(() => rename('revoke_logins_away', 'revoke_logins'))
    expect(failed.status).toBeGreaterThanOrEqual(500)
    expect(failed.headers.get('set-cookie')).toBeNull()
    const repeated = await leave()
    expect(repeated).toMatchObject({ status: 200, body: { ended: 1 } })
    expect(repeated.headers.get('set-cookie')).toContain('Max-Age=0')
  })

  test('survives a restart and a wiped Redis', async () => {
    const login = await logIn(bench)
    await logout({ refresh_token: login.refreshToken })
    await bench.redis.flushdb()
    const third = await startApi(bench.env)
    try {
      await vi.waitFor(async () => expect(await verify(login.token, third.url)).toBe(401), { timeout: 10_000 })
      const fresh = await logIn(bench)
      await vi.waitFor(async () => expect(await verify(fresh.token, third.url)).toBe(200), { timeout: 10_000 })
      expect(await verify(login.token, third.url)).toBe(401)
    } finally {
      await third.stop()
    }
  })
})

describe('the cookie', () => {
  const withCookie = (token: string, headers: Record<string, string>) =>
    call<{ reason?: string }>(bench.api.url, '/api/librechat/refresh', {
      method: 'POST',
      headers: { cookie: `a=b; __Secure-tollgate-refresh=${token}; c=d`, ...headers },
    })

  test('works for pages of an allowed origin and of this host, and no other', async () => {
    const login = await logIn(bench)
    expect((await withCookie(login.refreshToken, { origin: 'https://evil.example' })).body.reason).toBe(
      'origin_not_allowed',
    )
    expect((await withCookie(login.refreshToken, { origin: 'null' })).status).toBe(403)
    expect((await withCookie(login.refreshToken, { origin: 'https://app.example' })).status).toBe(200)
    expect((await withCookie(login.refreshToken, { origin: bench.api.url })).status).toBe(200)
  })

  test('counts for the whole origin of this host, and only once', async () => {
    const login = await logIn(bench)
    const otherScheme = bench.api.url.replace('http:', 'https:')
    expect((await withCookie(login.refreshToken, { origin: otherScheme })).body.reason).toBe('origin_not_allowed')
    const twice = `${login.refreshToken}; __Secure-tollgate-refresh=${login.refreshToken}`
    expect(await withCookie(twice, {})).toMatchObject({ status: 401, body: { reason: 'malformed' } })
  })

  test('or a body is needed', async () => {
    const answer = await call(bench.api.url, '/api/librechat/refresh', { method: 'POST' })
    expect(answer).toMatchObject({ status: 401, body: { reason: 'missing' } })
  })
})

test.each([
  ['an access token', async () => (await logIn(bench)).token],
  ['nonsense', async () => 'nonsense'],
  ['a cut token', async () => (await logIn(bench)).refreshToken.slice(0, -2)],
])('%s is no refresh token', async (_, make) => {
  expect((await refresh(bench.api.url, await make())).status).toBe(401)
})

test('start, refresh, logout and expiry reach the queue and stand in the row', async () => {
  const login = await logIn(bench)
  await refresh(bench.api.url, login.refreshToken)
  await call(bench.api.url, '/api/librechat/logout', { method: 'POST', json: { refresh_token: login.refreshToken } })
  const lapsed = await logIn(bench, {
    user: await addUser(bench.db, login.organization),
    organization: login.organization,
  })
  const idsOf = (type: string) => worker.seen.filter((event) => event.type === type).map(({ id }) => id)
  await vi.waitFor(() => expect(idsOf('login.started')).toContain(lapsed.sid), { timeout: 15_000 })
  await vi.waitFor(
    async () => {
      await bench.db.query(`update tollgate.login_sessions set expires_at = now() where id = $1 and ended_at is null`, [
        lapsed.sid,
      ])
      expect(idsOf('login.started')).toEqual(expect.arrayContaining([login.sid, lapsed.sid]))
      expect(idsOf('login.refreshed')).toContain(`${login.sid}.1`)
      expect(idsOf('login.ended')).toEqual(expect.arrayContaining([`${login.sid}.ended`, `${lapsed.sid}.ended`]))
    },
    { timeout: 15_000 },
  )
  expect(await session(lapsed.sid)).toMatchObject({ end_reason: 'expired' })
  await vi.waitFor(async () => {
    expect((await bench.db.query('select from tollgate.session_event_outbox')).rowCount).toBe(0)
  }, 15_000)
})
