import { SCOPES } from '@tollgate/shared/contracts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Reach, ROLES, type RouteRights } from '../src/access/roles.ts'
import { call } from './support/http.ts'
import { ROLE_REQUESTS } from './support/role-requests.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench } from './support/start-api.ts'

// Each route is called as each caller, about the own organization and about another one. The table says what must happen.
const PEOPLE = ['user', 'admin', 'super_admin'] as const
const KEYS = ['organization_key', 'operator_key'] as const
type Column = (typeof PEOPLE)[number] | (typeof KEYS)[number]

let bench: Bench
let home: string
let other: string
const userIds = {} as Record<string, string>
const credentials = {} as Record<string, string>

beforeAll(async () => {
  bench = await openBench()
  home = await addOrganization(bench.db, { max_tokens: 100_000 })
  other = await addOrganization(bench.db, { max_tokens: 100_000 })
  for (const role of PEOPLE) {
    userIds[role] = await addUser(bench.db, home, role)
    const session = await signSupabaseToken(userIds[role], bench.secrets.supabase)
    credentials[`${role} supabase`] = session
    const login = await call<{ token: string }>(bench.api.url, '/api/librechat/auth', {
      method: 'POST',
      token: session,
    })
    credentials[`${role} access token`] = login.body.token
  }
  userIds[other] = await addUser(bench.db, other)
})
afterAll(() => bench.stop())

const isPerson = (column: Column): column is (typeof PEOPLE)[number] => !KEYS.some((key) => key === column)

/** A credential of the caller that the column names; `undefined` where the table has none for it. */
async function credentialOf(column: Column, rights: RouteRights, hasScope: boolean): Promise<string | undefined> {
  if (isPerson(column)) return credentials[`${column} ${rights.credential}`]
  const scopes = hasScope && rights.scope ? [rights.scope, 'usage:read'] : []
  return addKey(bench.db, scopes, column === 'organization_key' ? home : null)
}

interface Outcome {
  readonly outcome: 'allowed' | 'refused'
  readonly detail: string
}

/** Makes the example request and says how it ended; anything that is neither allowed nor refused is a broken example. */
async function attempt(route: string, column: Column | null, token: string | undefined, organization: string) {
  const [method = ''] = route.split(' ')
  const example = ROLE_REQUESTS[route]
  if (example === undefined) throw new Error(`test/support/role-requests.ts has no example of ${route}`)
  const person = column !== null && isPerson(column) && organization === home ? column : undefined
  const userId = userIds[person ?? (organization === home ? 'user' : other)] ?? ''
  const isCallerAUser = column !== null && isPerson(column)
  const request = await example({ db: bench.db, organizationId: organization, userId, isCallerAUser })
  const { status, body } = await call(bench.api.url, request.path, {
    method,
    ...(token === undefined ? {} : { token }),
    ...(request.json === undefined ? {} : { json: request.json }),
  })
  return judge(status, body)
}

function judge(status: number, body: Record<string, unknown>): Outcome {
  const detail = `${status} ${JSON.stringify(body).slice(0, 300)}`
  const isRejectedEvent = status === 400 && /organization_not_allowed|type_not_allowed/.test(JSON.stringify(body))
  if (status < 400) return { outcome: 'allowed', detail }
  if ([401, 403, 404].includes(status) || isRejectedEvent) return { outcome: 'refused', detail }
  throw new Error(`the example is no good request: ${detail}`)
}

const newestAct = async () =>
  (await bench.db.query('select id, action, actor from tollgate.audit_log order by id desc limit 1')).rows[0]

async function actorOf(column: Column, token = ''): Promise<string> {
  if (isPerson(column)) return `user:${userIds[column]}`
  const found = await bench.db.query('select id from tollgate.service_keys where key_hash = sha256($1)', [token])
  return `key:${found.rows[0].id}`
}

/** Calls a route whose secret is itself the right, with a fresh one of somebody's, and expects it to be taken. */
async function presentSecret(route: string, session: string): Promise<void> {
  const [method = '', path = ''] = route.split(' ')
  if (path.startsWith('/api/librechat/')) {
    const login = { method: 'POST', token: session }
    const { refresh_token } = (await call(bench.api.url, '/api/librechat/auth', login)).body
    expect((await call(bench.api.url, path, { method, json: { refresh_token } })).status).toBeLessThan(300)
    return
  }
  const { search } = new URL(String((await call(bench.api.url, '/api/librechat/auth', { token: session })).body.url))
  const isForm = method === 'POST'
  const arrival = await fetch(`${bench.api.url}/v1/handoff${isForm ? '' : search}`, {
    method: isForm ? 'POST' : 'GET',
    ...(isForm ? { body: new URLSearchParams(search) } : {}),
    redirect: 'manual',
  })
  expect(arrival.status).toBe(303)
  if (path === '/v1/handoff') return
  const cookie = arrival.headers.getSetCookie()[0]?.split(';', 1)[0] ?? ''
  // The page says why not, and of somebody who may pass there is nothing to say but to try again.
  expect((await call(bench.api.url, path, { headers: { cookie } })).status).toBe(503)
  expect((await call(bench.api.url, path)).status).toBe(401)
}

/** Whether an example names an organization, so that there is another one to be refused. */
const hasTarget = (rights: RouteRights): boolean => Object.values(rights).includes('all')

describe.each(Object.entries(ROLES))('%s', (route, rights) => {
  const isOpen = rights.credential === 'none'

  test(`anonymous: ${isOpen ? 'allowed' : 'refused'}`, async () => {
    const { outcome, detail } = await attempt(route, null, undefined, home)
    expect(outcome, detail).toBe(isOpen ? 'allowed' : 'refused')
  })

  if (isOpen) return
  if (rights.credential === 'browser session' || rights.credential === 'refresh token') {
    test.each(PEOPLE)('%s with the own secret: own', async (column) => {
      expect(rights[column]).toBe('own')
      await presentSecret(route, credentials[`${column} supabase`] ?? '')
    })
    test.each(KEYS)('%s: no', async (column) => {
      expect(rights[column]).toBe('no')
      const { outcome, detail } = await attempt(route, column, await addKey(bench.db, [...SCOPES]), home)
      expect(outcome, detail).toBe('refused')
    })
    return
  }
  const columns = [...PEOPLE, ...KEYS]
  test.each(columns.map((column) => [column, rights[column]] as [Column, Reach]))('%s: %s', async (column, reach) => {
    const token = await credentialOf(column, rights, true)
    const before = await newestAct()
    const own = await attempt(route, column, token, home)
    expect(own.outcome, own.detail).toBe(reach === 'no' ? 'refused' : 'allowed')
    const after = await newestAct()
    // An administrative act leaves its entry; a refused one leaves none.
    if (rights.audited && reach !== 'no') {
      expect(after).toMatchObject({ action: rights.audited, actor: await actorOf(column, token) })
      expect(after.id).not.toBe(before?.id)
    } else expect(after).toEqual(before)
    if (!hasTarget(rights)) return
    const foreign = await attempt(route, column, token, other)
    expect(foreign.outcome, foreign.detail).toBe(reach === 'all' ? 'allowed' : 'refused')
  })

  test.each(KEYS)('%s without the scope: refused', async (column) => {
    const { outcome, detail } = await attempt(route, column, await credentialOf(column, rights, false), home)
    expect(outcome, detail).toBe('refused')
  })
})
