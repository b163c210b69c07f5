import { randomUUID } from 'node:crypto'
import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { issueHandoff } from '../../../services/token-api/src/tokens/issue-handoff.ts'
import { importKeys } from '../../../services/token-api/src/tokens/keys.ts'
import { call } from '../../../services/token-api/test/support/http.ts'
import { signSupabaseToken } from '../../../services/token-api/test/support/seed.ts'
import { startApi } from '../../../services/token-api/test/support/start-api.ts'
import { cookieOf, openGate, type Person, type TestGate } from './support/open-gate.ts'

let gate: TestGate
beforeAll(async () => {
  gate = await openGate()
})
afterAll(() => gate.stop())

let person: Person
let address: string
beforeEach(async () => {
  person = await gate.addPerson()
  address = await gate.askForUrl(person)
})

const go = (url: string, cookie?: string, accept = 'text/html') =>
  fetch(url, { redirect: 'manual', headers: { accept, ...(cookie === undefined ? {} : { cookie }) } })
const passes = async (cookie: string) => (await go(`${gate.url}/c/new`, cookie)).status === 200

test('a handoff opens a session, and the token leaves the address', async () => {
  const answer = await go(address)
  expect(answer.status).toBe(303)
  expect(answer.headers.get('location')).toBe(gate.url)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
  expect(answer.headers.getSetCookie()).toEqual([
    expect.stringMatching(
      /^__Host-tollgate=[\w-]{43}\.[\w-]{22}; Path=\/; Max-Age=8\d{4}; Secure; HttpOnly; SameSite=Lax$/,
    ),
  ])
  const inside = await go(`${gate.url}/c/new?model=gpt-4o`, cookieOf(answer))
  expect(inside.status).toBe(200)
  expect(await inside.json()).toMatchObject({
    url: '/c/new?model=gpt-4o',
    headers: {
      'x-tenant-id': [person.organizationId],
      'x-tollgate-organization': [person.organizationId],
      'x-tollgate-user': [person.userId],
      'x-tollgate-role': ['user'],
    },
  })
  const { rows } = await gate.bench.db.query('select * from tollgate.proxy_sessions where user_id = $1', [
    person.userId,
  ])
  expect(rows).toHaveLength(1)
  expect(JSON.stringify(rows)).not.toContain(cookieOf(answer).split('=')[1])
})

describe('a second use', () => {
  test("with the first one's cookie redirects, and changes nothing", async () => {
    const cookie = cookieOf(await go(address))
    const again = await go(address, cookie)
    expect([again.status, again.headers.get('location')]).toEqual([303, gate.url])
    expect(again.headers.getSetCookie()).toEqual([])
    expect(await passes(cookie)).toBe(true)
  })

  test('without it is refused, and ends the session that the first one got', async () => {
    const cookie = cookieOf(await go(address))
    expect(await passes(cookie)).toBe(true)
    const thief = await go(address)
    expect(thief.status).toBe(403)
    expect(thief.headers.getSetCookie()).toEqual([])
    expect(await thief.text()).toContain('used_before')
    expect(await passes(cookie)).toBe(false)
    expect((await go(address, cookie)).status).toBe(403)
  })

  test('ends it on every instance before the answer is given, and is on record', async () => {
    const second = await startApi(gate.bench.env)
    try {
      const cookie = cookieOf(await go(address))
      const forward = () => fetch(`${second.url}/v1/forward-auth`, { headers: { cookie } })
      await vi.waitFor(async () => expect((await forward()).status).toBe(200), { timeout: 10_000 })
      expect((await go(address)).status).toBe(403)
      const refused = await forward()
      expect([refused.status, await refused.json()]).toMatchObject([401, { reason: 'session_ended' }])
    } finally {
      await second.stop()
    }
    const { rows } = await gate.bench.db.query(
      `select l.end_reason as login, p.end_reason as proxy from tollgate.login_sessions l
       join tollgate.proxy_sessions p on p.login_session_id = l.id where l.user_id = $1`,
      [person.userId],
    )
    expect(rows).toEqual([{ login: 'handoff_replayed', proxy: 'handoff_replayed' }])
  })

  test("with another one's cookie is a theft too", async () => {
    const other = await gate.letIn(await gate.addPerson(person.organizationId))
    const cookie = cookieOf(await go(address))
    expect((await go(address, other)).status).toBe(403)
    expect([await passes(cookie), await passes(other)]).toEqual([false, true])
  })

  test('at the same moment, 50 times: one session was opened, and it has ended', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => go(address)))
    const opened = answers.filter(({ status }) => status === 303)
    expect(opened).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(49)
    for (const answer of opened) expect(await passes(cookieOf(answer))).toBe(false)
  })
})

describe("a stranger's link", () => {
  const follow = (url: string, cookie: string, site = 'cross-site') =>
    fetch(url, { redirect: 'manual', headers: { accept: 'text/html', cookie, 'sec-fetch-site': site } })

  test('takes nobody out of the own session, from wherever it comes', async () => {
    const own = await gate.letIn(await gate.addPerson())
    for (const site of ['cross-site', 'none']) {
      const answer = await follow(await gate.askForUrl(person), own, site)
      expect([answer.status, answer.headers.getSetCookie()]).toEqual([403, []])
      expect(await answer.text()).toContain('other_session')
    }
    expect(await passes(own)).toBe(true)
  })

  test('nor out of one that the gate refuses at present, from another site', async () => {
    const victim = await gate.addPerson()
    const own = await gate.letIn(victim)
    await gate.enforce(victim.organizationId, { state: 'revoked', version: 1 })
    await vi.waitFor(async () => expect(await passes(own)).toBe(false), { timeout: 10_000 })
    expect((await follow(await gate.askForUrl(person), own)).status).toBe(403)
    expect((await follow(await gate.askForUrl(person), own, 'same-site')).status).toBe(303)
  })

  test("the company's own page on another site lets in who has no session, and the same user again", async () => {
    const first = await follow(address, 'theme=dark')
    expect(first.status).toBe(303)
    expect((await follow(await gate.askForUrl(person), cookieOf(first))).status).toBe(303)
  })
})

describe('no session is opened', () => {
  const refusals = async (url: string) => {
    const answer = await go(url, undefined, 'application/json')
    expect(answer.headers.getSetCookie()).toEqual([])
    return [answer.status, ((await answer.json()) as { reason?: string }).reason]
  }
  const change = (edit: (url: URL) => void) => {
    const url = new URL(address)
    edit(url)
    return url.href
  }

  test('for another organization than the address names; the handoff is not used up by that', async () => {
    const other = await gate.addPerson()
    const theirs = new URL(await gate.askForUrl(other)).searchParams.get('org') ?? ''
    expect(await refusals(change((url) => url.searchParams.set('org', theirs)))).toEqual([403, 'wrong_organization'])
    expect(await refusals(change((url) => url.searchParams.set('org', '')))).toEqual([400, undefined])
    expect(await refusals(change((url) => url.searchParams.delete('org')))).toEqual([400, undefined])
    expect((await go(address)).status).toBe(303)
  })

  test('for a user who has left the organization meanwhile', async () => {
    await gate.bench.db.query('update public.profiles set organization_id = null where id = $1', [person.userId])
    // Or the sweep has ended the session before.
    expect(await refusals(address)).toEqual([403, expect.stringMatching(/^(wrong_organization|session_ended)$/)])
  })

  test('for a changed, foreign or doubled token', async () => {
    const token = new URL(address).searchParams.get('token') ?? ''
    const [head, payload, mark = ''] = token.split('.')
    const other = `${mark.startsWith('A') ? 'B' : 'A'}${mark.slice(1)}`
    expect(await refusals(change((url) => url.searchParams.set('token', [head, payload, other].join('.'))))).toEqual([
      403,
      'bad_signature',
    ])
    expect(await refusals(`${address}&token=${token}`)).toEqual([400, undefined])
    const access = await login()
    expect(await refusals(change((url) => url.searchParams.set('token', access)))).toEqual([403, 'bad_signature'])
    expect((await go(address)).status).toBe(303)
  })

  test('while the database cannot say whether it was used: a page says so, and the link is good afterwards', async () => {
    const rename = (from: string, to: string) => gate.bench.db.query(`alter table tollgate.${from} rename to ${to}`)
    await rename('proxy_sessions', 'proxy_sessions_away')
    try {
      const answer = await go(address)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'text/html; charset=utf-8'])
      expect(await answer.text()).toContain('cannot be reached at present')
      expect([answer.headers.getSetCookie(), answer.headers.get('referrer-policy')]).toEqual([[], 'no-referrer'])
    } finally {
      await rename('proxy_sessions_away', 'proxy_sessions')
    }
    expect((await go(address)).status).toBe(303)
  })

  test('after a minute; who is in by then is led in', async () => {
    const cookie = await gate.letIn(person)
    const issuedAt = Math.floor(Date.now() / 1_000) - 61
    const organization = { id: person.organizationId } as AccessTokenClaims['organization']
    const { handoff } = await importKeys(gate.bench.secrets.libreChat, gate.bench.secrets.refresh)
    const old = await issueHandoff({ sub: person.userId, sid: randomUUID(), iat: issuedAt, organization }, handoff)
    const late = change((url) => url.searchParams.set('token', old))
    expect(await refusals(late)).toEqual([403, 'expired'])
    expect((await go(late, cookie)).status).toBe(303)
  })
})

async function login(): Promise<string> {
  const supabase = await signSupabaseToken(person.userId, gate.bench.secrets.supabase)
  const options = { method: 'POST', token: supabase }
  return (await call<{ token: string }>(gate.bench.api.url, '/api/librechat/auth', options)).body.token
}

describe('as a form post into the iframe', () => {
  const post = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(gate.url, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual', headers })

  test('opens a session just so', async () => {
    const { token = '', org = '' } = Object.fromEntries(new URL(address).searchParams)
    const answer = await post({ token, org }, { origin: 'https://app.example.com' })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, gate.url])
    expect(await passes(cookieOf(answer))).toBe(true)
    expect((await post({ token, org })).status).toBe(403)
  })

  test('is refused without its fields, and as anything but a form', async () => {
    expect((await post({})).status).toBe(400)
    expect((await fetch(gate.url, { method: 'POST', body: '{}' })).status).toBe(415)
  })

  test('of another site is refused, since the own session does not come along with it', async () => {
    const { token = '', org = '' } = Object.fromEntries(new URL(address).searchParams)
    const stranger = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    for (const origin of [stranger.origin, 'null']) {
      const answer = await post({ token, org }, { ...stranger, origin, accept: 'application/json' })
      expect([answer.status, await answer.json(), answer.headers.getSetCookie()]).toMatchObject([
        403,
        { reason: 'wrong_origin' },
        [],
      ])
    }
    // It was not used up by that.
    const front = { origin: 'https://app.example.com', 'sec-fetch-site': 'same-site' }
    expect((await post({ token, org }, front)).status).toBe(303)
  })

  test('only from a front end, where they are named', async () => {
    const strict = await startApi({ ...gate.bench.env, CORS_ORIGINS: 'https://app.example.com' })
    try {
      const { token = '', org = '' } = Object.fromEntries(new URL(address).searchParams)
      const from = async (origin: string) => {
        const body = new URLSearchParams({ token, org })
        const headers = { origin }
        return (await fetch(`${strict.url}/v1/handoff`, { method: 'POST', body, headers, redirect: 'manual' })).status
      }
      expect([await from('https://evil.example'), await from('null')]).toEqual([403, 403])
      await vi.waitFor(async () => expect((await call(strict.url, '/readyz')).status).toBe(200), { timeout: 10_000 })
      expect(await from('https://app.example.com')).toBe(303)
    } finally {
      await strict.stop()
    }
  })
})

test('URL_TOKEN=access: the access token of the address opens sessions for as long as it lives', async () => {
  const api = await startApi({ ...gate.bench.env, URL_TOKEN: 'access' })
  try {
    const url = new URL(`${api.url}/v1/handoff`)
    url.searchParams.set('token', await login())
    url.searchParams.set('org', new URL(address).searchParams.get('org') ?? '')
    await vi.waitFor(async () => expect((await go(url.href)).status).toBe(303), { timeout: 10_000 })
    expect(await passes(cookieOf(await go(url.href)))).toBe(true)
  } finally {
    await api.stop()
  }
})

test('cross-site: the cookie is partitioned, and so are those of LibreChat', async () => {
  const other = await openGate({ api: { CHAT_EMBEDDING: 'cross-site' }, gate: { CHAT_EMBEDDING: 'cross-site' } })
  try {
    const answer = await go(await other.askForUrl(await other.addPerson()))
    expect(answer.headers.getSetCookie()[0]).toMatch(/; Secure; HttpOnly; SameSite=None; Partitioned$/)
    const inside = await go(`${other.url}/`, cookieOf(answer))
    expect(inside.headers.getSetCookie()).toEqual([expect.stringMatching(/^refreshToken=abc;.*Partitioned/)])
    expect(inside.headers.getSetCookie()[0]).toMatch(/samesite=none/i)
    expect(inside.headers.getSetCookie()[0]).not.toMatch(/strict/i)
  } finally {
    await other.stop()
  }
})
