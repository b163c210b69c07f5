import { decodeJwt, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { sampleEnforcement } from '../src/testing/claims.ts'
import { importKeys } from '../src/tokens/keys.ts'
import { call } from './support/http.ts'
import { logIn, refresh } from './support/login.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'

let bench: Bench
let second: TestApi
let key: string
beforeAll(async () => {
  bench = await openBench()
  second = await startApi(bench.env)
  key = await addKey(bench.db, ['tokens:revoke', 'tokens:introspect', 'tokens:issue'])
})
afterAll(async () => {
  await second.stop()
  await bench.stop()
})

const verify = (token: string, url = bench.api.url) => call(url, '/api/auth/verify', { token })
const form = (path: string, token: string, bearer = key, url = bench.api.url) =>
  call(url, path, {
    method: 'POST',
    token: bearer,
    json: new URLSearchParams({ token }).toString(),
    type: 'application/x-www-form-urlencoded',
  })

describe('revoking one access token', () => {
  test('refuses it on every instance, and leaves the login session and its other tokens alone', async () => {
    const login = await logIn(bench)
    const other = (await refresh(bench.api.url, login.refreshToken)).body.token
    expect(await form('/oauth/revoke', login.token)).toMatchObject({ status: 200, body: {} })
    for (const url of [bench.api.url, second.url]) {
      expect(await verify(login.token, url)).toMatchObject({ status: 401, body: { reason: 'revoked' } })
      expect((await verify(other, url)).status).toBe(200)
    }
    expect(await form('/oauth/revoke', login.token)).toMatchObject({ status: 200 })
    const { rows } = await bench.db.query('select action from tollgate.audit_log where target = $1', [
      `token:${decodeJwt(login.token).jti}`,
    ])
    expect(rows.length).toBeGreaterThan(0)
  })

  test('holds for every spelling of it', async () => {
    const { token } = await logIn(bench)
    await form('/oauth/revoke', token)
    const [header = '', payload = '', signature = ''] = token.split('.')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const spellings = [...alphabet].map((last) => `${header}.${payload}.${signature.slice(0, -1)}${last}`)
    const more = [
      `${token}=`,
      `${token}==`,
      `${token}.`,
      token.replace('.', '..'),
      `${header}=.${payload}.${signature}`,
    ]
    for (const spelling of [...spellings, ...more]) expect((await verify(spelling)).status, spelling).toBe(401)
  })

  test('is refused to a key of another organization, and to people', async () => {
    const login = await logIn(bench)
    const foreign = await addKey(bench.db, ['tokens:revoke', 'tokens:introspect'], await addOrganization(bench.db))
    expect((await form('/oauth/revoke', login.token, foreign)).status).toBe(403)
    expect(await form('/oauth/introspect', login.token, foreign)).toMatchObject({ body: { active: false } })
    expect((await form('/oauth/revoke', login.token, login.token)).status).toBe(401)
    expect((await form('/oauth/revoke', login.token, await addKey(bench.db, ['tokens:introspect']))).status).toBe(403)
    expect((await verify(login.token)).status).toBe(200)
  })
})

test('no accept begins after the answer: 1,000 races over two instances', async () => {
  const organization = await addOrganization(bench.db)
  const user = await addUser(bench.db, organization)
  const { access } = await importKeys(bench.secrets.libreChat, bench.secrets.refresh)
  const { token: sample } = await logIn(bench, { organization, user })
  const claims = decodeJwt(sample)
  let accepted = 0
  const race = async (): Promise<void> => {
    const token = await new SignJWT({ ...claims, jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: access.signing.kid })
      .sign(access.signing.key)
    const before = [verify(token), verify(token, second.url)]
    // 503 is no answer but a request to repeat.
    const url = Math.random() < 0.5 ? bench.api.url : second.url
    await vi.waitFor(async () => expect((await form('/oauth/revoke', token, key, url)).status).toBe(200), 20_000)
    const after = await Promise.all([verify(token), verify(token, second.url)])
    for (const { status } of after) if (status === 200) accepted += 1
    await Promise.all(before)
  }
  for (let round = 0; round < 100; round++) await Promise.all(Array.from({ length: 10 }, race))
  expect(accepted).toBe(0)
}, 120_000)

test('a gate that does not acknowledge is waited out until its lease has ended', async () => {
  // A registered instance that never acknowledges, as a stopped process would be.
  const registry = `{${bench.namespace}:gate}:instances`
  const { token } = await logIn(bench)
  const [seconds = '0'] = await bench.redis.time()
  await bench.redis.zadd(registry, Number(seconds) * 1_000 + 1_000, 'silent')
  const begin = performance.now()
  expect((await form('/oauth/revoke', token)).status).toBe(200)
  expect(performance.now() - begin).toBeGreaterThan(900)
  await bench.redis.zrem(registry, 'silent')
})

describe('of an instance whose clock is five minutes behind, though its tokens seem to have expired', () => {
  const BEHIND_SECONDS = 300

  test('a login ends on every instance', async () => {
    const login = await logIn(bench)
    const { sid } = decodeJwt(login.token)
    // As it would have written them; for its gate the token is good.
    const behind = `update tollgate.login_sessions set access_expires_at = now() - interval '290 seconds' where id = $1`
    await bench.db.query(behind, [sid])
    expect(
      (
        await call(bench.api.url, '/api/librechat/logout', {
          method: 'POST',
          json: { refresh_token: login.refreshToken },
        })
      ).status,
    ).toBe(200)
    for (const url of [bench.api.url, second.url]) {
      expect(await verify(login.token, url)).toMatchObject({ status: 401, body: { reason: 'session_ended' } })
    }
  })

  test('an access token can be revoked', async () => {
    const { token } = await logIn(bench)
    const { access } = await importKeys(bench.secrets.libreChat, bench.secrets.refresh)
    const jti = crypto.randomUUID()
    const expired = await new SignJWT({
      ...decodeJwt(token),
      jti,
      exp: Math.floor(Date.now() / 1_000) - BEHIND_SECONDS,
    })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: access.signing.kid })
      .sign(access.signing.key)
    expect((await form('/oauth/revoke', expired)).status).toBe(200)
    const { rows } = await bench.db.query(
      `select expires_at > now() + interval '9 minutes' as lasts from tollgate.token_revocations where id = $1`,
      [jti],
    )
    expect(rows).toEqual([{ lasts: true }])
  })
})

test('what Postgres has forgotten, set back to an earlier time, Redis still knows; and the other way round', async () => {
  const [login, other] = [await logIn(bench), await logIn(bench)]
  for (const { token } of [login, other]) expect((await form('/oauth/revoke', token)).status).toBe(200)
  const [forgotten, lost] = [login, other].map(({ token }) => String(decodeJwt(token).jti))
  await bench.db.query('delete from tollgate.token_revocations where id = $1', [forgotten])
  const third = await startApi(bench.env)
  try {
    await vi.waitFor(async () => expect((await call(third.url, '/readyz')).status).toBe(200), 10_000)
    expect(await verify(login.token, third.url)).toMatchObject({ status: 401, body: { reason: 'revoked' } })
  } finally {
    await third.stop()
  }
  // As many as Postgres has, but not the same ones.
  const mirror = `{${bench.namespace}:gate}:revocations`
  await bench.redis.zrem(mirror, `jti ${lost}`)
  await bench.redis.zadd(mirror, Math.ceil(Date.now() / 1_000) + 600, `jti ${crypto.randomUUID()}`)
  await vi.waitFor(async () => expect(await bench.redis.zscore(mirror, `jti ${lost}`)).not.toBeNull(), 15_000)
})

describe('introspection', () => {
  test('says of a good token what it is, and of any other only that it is not', async () => {
    const login = await logIn(bench)
    expect(await form('/oauth/introspect', login.token)).toMatchObject({
      status: 200,
      body: { active: true, token_type: 'access_token', sub: login.user, organization_id: login.organization },
    })
    expect(await form('/oauth/introspect', login.refreshToken)).toMatchObject({
      body: { active: true, token_type: 'refresh_token', sid: login.sid },
    })
    await refresh(bench.api.url, login.refreshToken)
    for (const token of [login.refreshToken, 'nonsense', `${login.token}x`, key]) {
      expect((await form('/oauth/introspect', token)).body).toEqual({ active: false })
    }
    await form('/oauth/revoke', login.token)
    expect((await form('/oauth/introspect', login.token)).body).toEqual({ active: false })
  })

  test('says of a refresh token that is refused for its organization only that it is not good', async () => {
    const login = await logIn(bench)
    const state = sampleEnforcement({ organization_id: login.organization, state: 'revoked', version: 1 })
    await bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(state))
    await vi.waitFor(async () => expect((await verify(login.token)).status).toBe(403), 10_000)
    for (const token of [login.token, login.refreshToken]) {
      expect((await form('/oauth/introspect', token)).body).toEqual({ active: false })
    }
  })

  test('takes a parameter once', async () => {
    const answer = await call(bench.api.url, '/oauth/introspect', {
      method: 'POST',
      token: key,
      json: 'token=a&token=b',
      type: 'application/x-www-form-urlencoded',
    })
    expect(answer.status).toBe(400)
  })
})

describe('a server issues a token', () => {
  const issue = (user_id: string, bearer = key) =>
    call<{ token: string; refresh_token?: string }>(bench.api.url, '/v1/tokens', {
      method: 'POST',
      token: bearer,
      json: { user_id },
    })

  test('for a user in its reach, which verify takes and the device list shows', async () => {
    const organization = await addOrganization(bench.db)
    const user = await addUser(bench.db, organization)
    const { status, body } = await issue(user, await addKey(bench.db, ['tokens:issue'], organization))
    expect(status).toBe(201)
    expect(body.refresh_token).toBeUndefined()
    expect((await verify(body.token)).body).toMatchObject({ sub: user })
    const list = await call<{ sessions: object[] }>(bench.api.url, '/v1/sessions', {
      token: await signSupabaseToken(user, bench.secrets.supabase),
    })
    expect(list.body.sessions).toMatchObject([{ kind: 'server', id: decodeJwt(body.token).sid }])
  })

  test('for nobody else, and the answer does not say whether the user exists', async () => {
    const own = await addKey(bench.db, ['tokens:issue'], await addOrganization(bench.db))
    const stranger = await addUser(bench.db, await addOrganization(bench.db))
    const [foreign, unknown] = [await issue(stranger, own), await issue(crypto.randomUUID(), own)]
    expect(foreign.status).toBe(403)
    expect(unknown.body).toEqual(foreign.body)
  })

  // Latin letters' doubles, full-width digits, and what folds to a uuid's letters.
  test.each(['а', 'ａ', '１', 'ｆ', '\u200b', 'ſ'])('not under a look-alike id: %s', async (letter) => {
    const { user } = await logIn(bench)
    expect((await issue(letter + user.slice(1))).status).toBe(400)
  })
})

describe('the device list', () => {
  test('ends one login session of the own, and knows none of others', async () => {
    const [login, stranger] = [await logIn(bench), await logIn(bench)]
    const token = await signSupabaseToken(login.user, bench.secrets.supabase)
    const end = (sid: string) => call(second.url, `/v1/sessions/${sid}`, { method: 'DELETE', token })
    const [foreign, unknown] = [await end(stranger.sid), await end(crypto.randomUUID())]
    expect(foreign).toMatchObject({ status: 404, body: { title: unknown.body.title, detail: unknown.body.detail } })
    expect(unknown.status).toBe(404)
    expect(await end(login.sid)).toMatchObject({ status: 200, body: { ended: 1 } })
    expect([(await verify(login.token)).status, (await verify(login.token, second.url)).status]).toEqual([401, 401])
    expect((await verify(stranger.token)).status).toBe(200)
  })

  test('an operator ends all of a user', async () => {
    const login = await logIn(bench)
    const other = await logIn(bench, login)
    const answer = await call(bench.api.url, `/v1/users/${login.user}/sessions`, { method: 'DELETE', token: key })
    expect(answer).toMatchObject({ status: 200, body: { ended: 2 } })
    expect([(await verify(login.token)).status, (await verify(other.token, second.url)).status]).toEqual([401, 401])
  })
})
