import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addKey, addOrganization, addUser, signSupabaseToken } from '../../../services/token-api/test/support/seed.ts'
import { type Bench, openBench } from '../../../services/token-api/test/support/start-api.ts'
import { connectServer, openSession, TollgateError, type TollgateEvent } from '../src/index.ts'
import { openCookieJar } from './support/cookie-jar.ts'

let bench: Bench
let organization: string
let user: string
let requests: string[]
let browser: typeof fetch

beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.stop())
beforeEach(async () => {
  organization = await addOrganization(bench.db)
  user = await addUser(bench.db, organization)
  requests = []
  browser = openCookieJar(watchedFetch).fetch
})

// The platform's own fetch, with what a test is about on top.
const watchedFetch: typeof fetch = async (input, init) => {
  requests.push(`${init?.method} ${new URL(String(input)).pathname}`)
  return fetch(input, init)
}
const sessionOf = (changes: Partial<Parameters<typeof openSession>[0]> = {}) =>
  openSession({
    baseUrl: bench.api.url,
    getSupabaseToken: () => signSupabaseToken(user, bench.secrets.supabase),
    fetch: browser,
    ...changes,
  })
const usage = (data: object = {}): TollgateEvent => ({
  type: 'tollgate.usage.recorded.v1',
  source: 'librechat',
  id: randomUUID(),
  data: {
    ...{ organization_id: organization, user_id: user, session_id: 'chat-1', model: 'gpt-4o' },
    ...{ input_tokens: 3, output_tokens: 4, ...data },
  },
})

describe('a front end', () => {
  test('exchanges the Supabase session once, however many ask', async () => {
    const session = sessionOf()
    const tokens = await Promise.all([session.token(), session.token(), session.token()])
    expect(new Set(tokens).size).toBe(1)
    expect(requests.filter((request) => request === 'POST /api/librechat/auth')).toHaveLength(1)
    expect(await session.user()).toMatchObject({ id: user, organization: { id: organization } })
    expect((await session.chatAddress()).url).toContain('?token=')
  })

  test('renews silently before the token expires, without asking Supabase', async () => {
    let nowMs = Date.now()
    const session = sessionOf({ now: () => nowMs })
    const first = await session.token()
    expect(await session.token()).toBe(first)
    nowMs += 86_400_000 - 20_000
    const second = await session.token()
    expect(second).not.toBe(first)
    expect(requests.at(-1)).toBe('POST /api/librechat/refresh')
    const server = connectServer({ baseUrl: bench.api.url, key: 'tg_none' })
    expect(await server.verifyToken(second)).toMatchObject({ sub: user })
  })

  test('tells when chats begin and end', async () => {
    const session = sessionOf()
    await session.startChat({ session_id: 'c1', model: 'gpt-4o', metadata: { pinned: true } })
    await session.endChat('c1', 'closed')
    expect(requests.filter((request) => request === 'POST /v1/events')).toHaveLength(2)
    await expect(session.endChat('', 'closed')).rejects.toMatchObject({
      code: 'no-usable-event',
      reason: 'invalid_event',
    })
  })

  test('logs out, and then needs a new login', async () => {
    const session = sessionOf({ getSupabaseToken: async () => null })
    await expect(session.token()).rejects.toMatchObject({ status: 401, reason: 'missing' })
    const other = sessionOf()
    const token = await other.token()
    await other.logout()
    await other.logout()
    expect(await connectServer({ baseUrl: bench.api.url, key: 'tg_none' }).verifyToken(token)).toBeNull()
    expect(await other.token()).not.toBe(token)
  })
})

const verify = (token: string) => connectServer({ baseUrl: bench.api.url, key: 'tg_none' }).verifyToken(token)
const tomorrow = () => Date.now() + 86_400_000
/** Makes a function of the store unknown for a while. */
const without = async (name: string, act: () => Promise<unknown>) => {
  const rename = (from: string, to: string) => bench.db.query(`alter function public.${from} rename to ${to}`)
  await rename(name, `${name}_away`)
  await act().finally(() => rename(`${name}_away`, name))
}

describe('the tabs of a browser', () => {
  const ageRotations = () =>
    bench.db.query(`update tollgate.login_sessions set rotated_at = rotated_at - interval '11 s' where user_id = $1`, [
      user,
    ])

  test('go on with one login, whichever renewed it last', async () => {
    const [here, there] = [sessionOf({ now: tomorrow }), sessionOf()]
    await here.token()
    const theirs = await there.token()
    await ageRotations()
    const ours = await here.token()
    expect(requests.filter((request) => request === 'POST /api/librechat/auth')).toHaveLength(1)
    expect([await verify(theirs), await verify(ours)]).toMatchObject([{ sub: user }, { sub: user }])
  })

  test('renew from memory where the browser withholds the cookie', async () => {
    const session = sessionOf({ now: tomorrow, fetch: watchedFetch })
    await session.token()
    await session.token()
    expect(requests.slice(-3)).toEqual([
      'POST /api/librechat/auth',
      'POST /api/librechat/refresh',
      'POST /api/librechat/refresh',
    ])
  })

  test('survive a lost answer to a renewal', async () => {
    const first = await sessionOf().token()
    let losses = 1
    const lossy = openCookieJar(async (input, init) => {
      const response = await watchedFetch(input, init)
      if (!String(input).endsWith('/refresh') || !response.ok || losses-- <= 0) return response
      throw new TypeError('fetch failed')
    })
    const session = sessionOf({ now: tomorrow, fetch: lossy.fetch })
    await session.token()
    await session.token()
    expect(losses).toBeLessThan(1)
    expect(requests.filter((request) => request === 'POST /api/librechat/auth')).toHaveLength(2)
    expect(await verify(first)).toMatchObject({ sub: user })
  })
})

describe('another user of the same browser', () => {
  let signedIn: string
  const shared = () => sessionOf({ getSupabaseToken: () => signSupabaseToken(signedIn, bench.secrets.supabase) })
  beforeEach(() => {
    signedIn = user
  })

  test.each(['in the same page', 'after a reload'])(
    'has an own login, and that of the former is ended: %s',
    async (when) => {
      const page = shared()
      const former = await page.token()
      signedIn = await addUser(bench.db, organization)
      const next = when === 'in the same page' ? page : shared()
      const [token, seen] = await Promise.all([next.token(), next.user()])
      expect(seen.id).toBe(signedIn)
      expect([await verify(token), await verify(former)]).toMatchObject([{ sub: signedIn }, null])
    },
  )
})

describe('a logout', () => {
  test.each(['with the cookie', 'without'])('that failed can be repeated: %s', async (how) => {
    const session = sessionOf(how === 'without' ? { fetch: watchedFetch } : {})
    const token = await session.token()
    await without('revoke_logins', () => expect(session.logout()).rejects.toBeInstanceOf(TollgateError))
    expect(await verify(token)).not.toBeNull()
    await session.logout()
    expect(await verify(token)).toBeNull()
  })

  test('everywhere ends the other logins too, also when the token at hand is too old for that', async () => {
    const [elsewhere, session] = [sessionOf({ fetch: openCookieJar(watchedFetch).fetch }), sessionOf()]
    const other = await elsewhere.token()
    await session.token()
    await bench.db.query(`update tollgate.login_sessions set refresh_hash = sha256('newer') where user_id = $1`, [user])
    await session.logout({ everywhere: true })
    expect(await verify(other)).toBeNull()
  })
})

describe('a server', () => {
  test('gets a token for a user by id, and hears what a token says', async () => {
    const key = await addKey(bench.db, ['tokens:issue'])
    const server = connectServer({ baseUrl: bench.api.url, key })
    const token = await server.generateLibreChatToken(user)
    expect(await server.verifyToken(token)).toMatchObject({ sub: user, organization: { id: organization } })
    await expect(server.generateLibreChatToken(randomUUID())).rejects.toBeInstanceOf(TollgateError)
  })

  test('sends events in batches and hears what became of each', async () => {
    const server = connectServer({ baseUrl: bench.api.url, key: await addKey(bench.db, ['events:write']) })
    const events = Array.from({ length: 1_005 }, (_, index) => usage(index === 1_001 ? { user_id: randomUUID() } : {}))
    const result = await server.sendEvents(events)
    expect(result).toEqual({
      accepted: 1_004,
      rejected: [{ index: 1_001, id: events[1_001]?.id, reason: 'unknown_user' }],
    })
    expect(await server.sendEvents([usage({ input_tokens: -1 })])).toMatchObject({
      accepted: 0,
      rejected: [{ index: 0 }],
    })
    expect(await server.sendEvents([])).toEqual({ accepted: 0, rejected: [] })
  })

  test('tries again with the same bytes, as late as it is asked to', async () => {
    const bodies: unknown[] = []
    const pauses: number[] = []
    let failures = 3
    const flaky: typeof fetch = async (input, init) => {
      bodies.push(init?.body)
      // The request is taken and its answer lost: what a broken connection looks like from here.
      const response = await fetch(input, init)
      if (failures-- > 0) throw new TypeError('fetch failed')
      return response
    }
    const sleep = async (ms: number) => void pauses.push(ms)
    const key = await addKey(bench.db, ['events:write'])
    const server = connectServer({ baseUrl: bench.api.url, key, fetch: flaky, sleep, random: () => 1 })
    expect((await server.sendEvents([usage()])).accepted).toBe(1)
    expect(new Set(bodies).size).toBe(1)
    expect(bodies).toHaveLength(4)
    expect(pauses).toEqual([200, 400, 800])
  })

  test('gives up in time, and at once on what does not pass', async () => {
    const away = { baseUrl: 'http://127.0.0.1:9', key: 'tg_none', sleep: async () => undefined, random: () => 1 }
    let nowMs = 0
    const server = connectServer({ ...away, now: () => (nowMs += 1_000) })
    await expect(server.sendEvents([usage()], { budgetMs: 5_000 })).rejects.toMatchObject({
      code: 'no-answer',
      status: 0,
    })
    const known = connectServer({ ...away, baseUrl: bench.api.url })
    await expect(known.sendEvents([usage()])).rejects.toMatchObject({ status: 401 })
  })

  test('an outage is not a refusal', async () => {
    const server = connectServer({ baseUrl: 'http://127.0.0.1:9', key: 'tg_none' })
    await expect(server.verifyToken('x')).rejects.toBeInstanceOf(TollgateError)
    expect(await connectServer({ baseUrl: bench.api.url, key: 'tg_none' }).verifyToken('a.b.c')).toBeNull()
  })
})
