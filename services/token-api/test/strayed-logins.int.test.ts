import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { logIn, refresh } from './support/login.ts'
import { addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'

// Tables of users are not Tollgate's own: what happens there a sweep finds out.
let bench: Bench
let second: TestApi
beforeAll(async () => {
  bench = await openBench()
  second = await startApi(bench.env)
})
afterAll(async () => {
  await second.stop()
  await bench.stop()
})

const verify = async (token: string, url = bench.api.url) => (await call(url, '/api/auth/verify', { token })).status
const session = async (sid: string) =>
  (await bench.db.query('select * from tollgate.login_sessions where id = $1', [sid])).rows[0]

test('tokens of a user who moved or was deleted stop by themselves', async () => {
  const [moved, deleted, kept] = [await logIn(bench), await logIn(bench), await logIn(bench)]
  await bench.db.query('update public.profiles set organization_id = $2 where id = $1', [
    moved.user,
    await addOrganization(bench.db),
  ])
  await bench.db.query('delete from auth.users where id = $1', [deleted.user])
  for (const url of [bench.api.url, second.url]) {
    await vi.waitFor(async () => expect(await verify(moved.token, url)).toBe(401), { timeout: 10_000 })
    await vi.waitFor(async () => expect(await verify(deleted.token, url)).toBe(401), { timeout: 10_000 })
    expect(await verify(kept.token, url)).toBe(200)
  }
  expect(await session(moved.sid)).toMatchObject({ end_reason: 'organization_changed' })
  expect(await session(deleted.sid)).toMatchObject({ end_reason: 'user_deleted' })
})

describe('a change of role', () => {
  const setRole = (user: string, role: string | null) =>
    bench.db.query('update public.profiles set role = $2 where id = $1', [user, role])
  const roleOf = (token: string) => decodeJwt(token).role

  test('to a lower one ends what names the higher one, and the next login names the new one', async () => {
    const organization = await addOrganization(bench.db)
    const user = await addUser(bench.db, organization)
    await setRole(user, 'admin')
    const [login, kept] = [await logIn(bench, { organization, user }), await logIn(bench)]
    expect(roleOf(login.token)).toBe('admin')
    await setRole(user, 'user')
    for (const url of [bench.api.url, second.url]) {
      await vi.waitFor(async () => expect(await verify(login.token, url)).toBe(401), { timeout: 10_000 })
      expect(await verify(kept.token, url)).toBe(200)
    }
    expect(await session(login.sid)).toMatchObject({ end_reason: 'role_reduced' })
    expect((await refresh(bench.api.url, login.refreshToken)).body.reason).toBe('session_ended')
    const again = await logIn(bench, { organization, user })
    expect(roleOf(again.token)).toBe('user')
    await bench.db.query('select public.sweep_logins(1000)')
    expect(await verify(again.token)).toBe(200)
  })

  // In tables that are not ours a role may be missing, or one that we do not know.
  test.each([null, 'auditor'])('to %j counts as one to the lowest', async (role) => {
    await bench.db.query(`alter table public.profiles alter column role drop not null,
      drop constraint if exists profiles_role_check`)
    const organization = await addOrganization(bench.db)
    const user = await addUser(bench.db, organization, 'admin')
    const login = await logIn(bench, { organization, user })
    await setRole(user, role)
    for (const url of [bench.api.url, second.url]) {
      await vi.waitFor(async () => expect(await verify(login.token, url)).toBe(401), { timeout: 10_000 })
    }
    expect(await session(login.sid)).toMatchObject({ end_reason: 'role_reduced' })
    expect((await refresh(bench.api.url, login.refreshToken)).body.reason).toBe('session_ended')
    const again = await logIn(bench, { organization, user })
    expect(decodeJwt(again.token).role).toBe('user')
    expect(await verify(again.token)).toBe(200)
    const token = await signSupabaseToken(user, bench.secrets.supabase)
    const { search } = new URL((await call<{ url: string }>(bench.api.url, '/api/librechat/auth', { token })).body.url)
    const arrival = await fetch(`${bench.api.url}/v1/handoff${search}`, { redirect: 'manual' })
    const [cookie = ''] = arrival.headers.getSetCookie()
    const passed = await call(bench.api.url, '/v1/forward-auth', { headers: { cookie: cookie.split(';', 1)[0] ?? '' } })
    expect([passed.status, passed.headers.get('x-tollgate-role')]).toEqual([200, 'user'])
    // What one of its tokens names counts for the login session, though it began with nothing.
    await setRole(user, 'admin')
    const promoted = (await refresh(bench.api.url, again.refreshToken)).body.token
    expect([decodeJwt(promoted).role, await verify(promoted)]).toEqual(['admin', 200])
    await setRole(user, 'user')
    await vi.waitFor(async () => expect(await verify(promoted)).toBe(401), { timeout: 10_000 })
  })

  test('to a higher one is in the next refresh, and counts from there', async () => {
    const login = await logIn(bench)
    await setRole(login.user, 'admin')
    const { body } = await refresh(bench.api.url, login.refreshToken)
    expect(roleOf(body.token)).toBe('admin')
    expect(await verify(login.token)).toBe(200)
    await setRole(login.user, 'user')
    await vi.waitFor(async () => expect(await verify(body.token)).toBe(401), { timeout: 10_000 })
    expect((await refresh(bench.api.url, body.refresh_token)).body.reason).toBe('session_ended')
  })
})

test('the sweep takes open sessions slice by slice, all of a user together, and leaves out none', async () => {
  const people = await Promise.all(Array.from({ length: 5 }, () => logIn(bench)))
  await Promise.all(people.map(({ user, organization }) => logIn(bench, { user, organization })))
  const moved = await addOrganization(bench.db)
  // In one transaction with the sweeps, so that the instance's own sees none of it.
  const client = await bench.db.connect()
  try {
    await client.query('begin')
    const ids = people.map(({ user }) => user)
    await client.query('update public.profiles set organization_id = $1 where id = any($2)', [moved, ids])
    await client.query(`select pg_advisory_xact_lock(hashtext('tollgate.sweep_logins'))`)
    let after: string | null = null
    let calls = 0
    do {
      const swept: { rows: { next_after: string | null }[] } = await client.query(
        'select next_after from public.sweep_logins(1000, $1, 3)',
        [after],
      )
      after = swept.rows[0]?.next_after ?? null
      calls += 1
    } while (after !== null)
    expect(calls).toBeGreaterThan(3)
    const ended = `select from tollgate.login_sessions where user_id = any($1) and end_reason = 'organization_changed'`
    expect((await client.query(ended, [ids])).rowCount).toBe(2 * people.length)
  } finally {
    await client.query('rollback')
    client.release()
  }
})
