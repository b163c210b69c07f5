import { randomUUID } from 'node:crypto'
import { type Rpc, type RpcArgs, StoreError } from '@tollgate/shared/store'
import type { PoolClient } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { evaluateOver, openWorld, usageEvent, type World } from './world.ts'

// Many users at once: whoever falls under a default is found once, the due ones are looked at in turn, and nobody waits meanwhile.
let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

let id: string
beforeEach(async () => {
  id = await world.createOrganization()
  await world.evaluate(id, 'sweep')
})

const enroll = (max_rows = 1_000) => world.rpcOf.enforcer('enroll_users', { for_organization: id, max_rows })
const toEnroll = async () => (await world.readPosition(id)).users_to_enroll
const dueUsers = async () =>
  (await world.rpcOf.enforcer('load_user_positions', { for_organization: id })).map(({ user_id }) => user_id)
const isDue = async () =>
  (await world.rpcOf.enforcer('list_due_evaluations', { max_rows: 1_000 })).some((row) => row.organization_id === id)
const eventOf = (user_id: string, tokens: number, of = id) => ({
  ...usageEvent(of, tokens),
  user_id,
  session_id: user_id,
})
const use = (user: string, tokens: number) =>
  world.rpcOf.worker('ingest_usage', { batch: { events: [eventOf(user, tokens)] } })
const stateOf = async (user: string): Promise<string | undefined> => {
  const sql = 'select state from tollgate.user_enforcement_states where organization_id = $1 and user_id = $2'
  return (await world.admin.query(sql, [id, user])).rows[0]?.state
}
async function settle(): Promise<void> {
  for (let round = 0; await isDue(); round++) {
    expect(round).toBeLessThan(5)
    await world.evaluate(id, 'sweep')
  }
}
const workers: PoolClient[] = []
afterEach(async () => {
  for (const worker of workers.splice(0)) worker.release(true)
})
/** A worker that has recorded a user's usage and not committed it. */
async function startRecording(user: string, tokens: number, of = id): Promise<PoolClient> {
  const worker = await world.admin.connect()
  workers.push(worker)
  await worker.query('begin')
  await worker.query('select * from public.ingest_usage($1)', [{ events: [eventOf(user, tokens, of)] }])
  return worker
}

test('a default finds those who have used something before it came, however many, and those who join where it is 0', async () => {
  const users = Array.from({ length: 25 }, () => randomUUID()).toSorted()
  for (const user of users) await use(user, 120)
  await world.setUserDefault(id, 100)
  expect([await enroll(10), await enroll(10), await enroll(10)]).toEqual([
    [{ done: false, more: true }],
    [{ done: false, more: true }],
    [{ done: true, more: false }],
  ])
  expect(await dueUsers()).toEqual(users)
  await settle()
  expect(await Promise.all(users.map(stateOf))).toEqual(users.map(() => 'revoked'))
  await world.setUserDefault(id, 0)
  await settle()
  const joined = await world.createOrganization()
  await world.admin.query('update public.profiles set organization_id = $1 where id = $2', [id, joined])
  expect(await isDue()).toBe(true)
  await settle()
  expect(await stateOf(joined)).toBe('revoked')
})

test('usage that is being recorded without having seen the default is waited for, what begins later is not, and nobody waits for it', async () => {
  const user = randomUUID()
  const other = await world.createOrganization()
  const before = await startRecording(user, 120)
  await world.setUserDefault(id, 100)
  expect(await enroll()).toEqual([{ done: false, more: false }])
  expect(await isDue()).toBe(true)
  await startRecording(other, 120, other)
  expect(await enroll()).toEqual([{ done: false, more: false }])
  await before.query('commit')
  expect(await enroll()).toEqual([{ done: true, more: false }])
  await settle()
  expect(await stateOf(user)).toBe('revoked')
})

test('usage that was not measured by the default is seen, also of a user who got a row by usage that was', async () => {
  const user = randomUUID()
  const [first = '', second = ''] = [id, await world.createOrganization()].toSorted()
  id = second
  for (const organization of [first, second]) await world.evaluate(organization, 'sweep')
  const [blocker, early] = [await world.admin.connect(), await world.admin.connect()]
  workers.push(blocker, early)
  await blocker.query('begin')
  await blocker.query('select from tollgate.period_totals where organization_id = $1 for update', [first])
  // Another day of the same month, and past the look for limits: it waits for the total of the organization before.
  const [day, other] = [new Date(), new Date()]
  other.setUTCDate(day.getUTCDate() > 1 ? day.getUTCDate() - 1 : 2)
  const events = [eventOf(randomUUID(), 1, first), { ...eventOf(user, 60), time: other.toISOString() }]
  const recording = early.query('select * from public.ingest_usage($1)', [{ events }])
  await vi.waitFor(async () => {
    const { rows } = await world.admin.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    expect(rows).toHaveLength(1)
  }, 20_000)
  await world.setUserDefault(id, 100)
  const later = { ...eventOf(user, 60), session_id: 'later' }
  await world.rpcOf.worker('ingest_usage', { batch: { events: [later] } })
  await world.evaluate(id, 'sweep')
  expect(await stateOf(user)).toBe('warned')
  await blocker.query('commit')
  await recording
  await settle()
  expect(await stateOf(user)).toBe('revoked')
})

test('enrolling takes no lock that ingestion takes', async () => {
  await world.setUserDefault(id, 100)
  const enforcer = await world.admin.connect()
  try {
    await enforcer.query('begin')
    await enforcer.query('select * from public.enroll_users($1)', [id])
    const { rows } = await enforcer.query(
      `select count(*)::integer as n from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'`,
    )
    expect(rows).toEqual([{ n: 0 }])
    // Nor is anybody kept waiting who records usage meanwhile.
    await use(randomUUID(), 120)
  } finally {
    await enforcer.query('rollback')
    enforcer.release()
  }
})

test('what is set as it was changes nothing, and another amount enrolls nobody who has a row by now', async () => {
  const [user, quiet] = [randomUUID(), randomUUID()]
  const versionOf = async (limit: number | null) => (await world.setUserDefault(id, limit))[0]?.version
  await use(user, 60)
  expect(await versionOf(null)).toBe('0')
  expect(await versionOf(100)).toBe('1')
  expect(await toEnroll()).toBe('all')
  await settle()
  expect([await toEnroll(), await stateOf(user)]).toEqual(['none', 'warned'])
  expect(await versionOf(100)).toBe('1')
  expect(await isDue()).toBe(false)
  expect(await versionOf(50)).toBe('2')
  expect(await toEnroll()).toBe('none')
  await settle()
  expect([await stateOf(user), await stateOf(id)]).toEqual(['revoked', undefined])
  // Every member, whether or not anything was used; and from there back.
  await versionOf(0)
  expect(await toEnroll()).toBe('all')
  await settle()
  expect([await toEnroll(), await stateOf(id)]).toEqual(['joined', 'revoked'])
  await versionOf(1_000)
  expect(await toEnroll()).toBe('none')
  await settle()
  expect([await stateOf(user), await stateOf(id)]).toEqual(['active', 'active'])
  // Nobody gets a row by usage while there is no default: the next one has to look for them again.
  await versionOf(null)
  await settle()
  await use(quiet, 120)
  expect(await stateOf(quiet)).toBeUndefined()
  await versionOf(100)
  expect(await toEnroll()).toBe('all')
  await settle()
  expect(await stateOf(quiet)).toBe('revoked')
})

test('a change while users are being enrolled goes on with it, from the first where it is 0 now', async () => {
  const users = Array.from({ length: 25 }, () => randomUUID()).toSorted()
  for (const user of users) await use(user, 120)
  await world.setUserDefault(id, 100)
  await enroll(10)
  await world.setUserDefault(id, 90)
  expect([await enroll(10), await enroll(10)]).toMatchObject([[{ done: false }], [{ done: true }]])
  await world.setUserDefault(id, null)
  await world.setUserDefault(id, 100)
  await enroll(10)
  await world.setUserDefault(id, 0)
  await settle()
  expect(await Promise.all([id, ...users].map(stateOf))).toEqual([id, ...users].map(() => 'revoked'))
})

test('a position costs the same however many members there are, also where the default is 0', async () => {
  await world.setUserDefault(id, 0)
  await settle()
  const pages = async (): Promise<number> => {
    const { rows } = await world.admin.query(
      `explain (analyze, buffers, timing off, format json) select * from public.load_quota_position('${id}')`,
    )
    const { Plan: plan } = rows[0]['QUERY PLAN'][0]
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
  }
  await pages()
  const before = await pages()
  await world.admin.query(
    `with crowd as (insert into auth.users (id, email) select gen_random_uuid(), n || $1 from generate_series(1, 10000) n returning id),
       member as (insert into public.profiles (id, organization_id, email) select id, $1::uuid, 'x@example.com' from crowd returning id)
     insert into tollgate.user_quotas (organization_id, user_id, is_own, version, updated_by, seen_changes)
     select $1::uuid, id, false, 0, 'test', 0 from member`,
    [id],
  )
  expect(await isDue()).toBe(false)
  expect((await pages()) - before).toBeLessThan(60)
  await world.admin.query('delete from public.profiles where organization_id = $1', [id])
})

const idle = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`

test('pages of users who are due for different reasons hold each of them, whoever stays due', async () => {
  await world.setUserDefault(id, 100)
  await use(id, 60)
  await settle()
  const members = Array.from({ length: 30 }, (_, n) => idle(n + 1))
  const [changed, woken, below, above] = [
    members.slice(0, 10),
    members.slice(5, 16),
    members.slice(16, 23),
    members.slice(23),
  ]
  const copy = `insert into tollgate.user_enforcement_states (organization_id, user_id, state, revision, period_start, period_end, inputs_key, shared_key)
    select organization_id, m, state, revision, period_start, period_end, inputs_key, shared_key
    from tollgate.user_enforcement_states s cross join unnest($2::uuid[]) m where s.organization_id = $1 and s.user_id = $1`
  await world.admin.query(copy, [id, members])
  for (const user of changed) await world.setUserLimit(id, user, 5)
  const set = (change: string, users: string[]) =>
    world.admin.query(
      `update tollgate.user_enforcement_states set ${change} where organization_id = $1 and user_id = any($2)`,
      [id, users],
    )
  // By an instant alone, of which two have the same.
  await set(`due_at = now() - (ascii(right(user_id::text, 1)) % 7) * interval '1 minute'`, woken)
  await set(`shared_key = '0' || user_id`, below)
  await set(`shared_key = 'g'`, above)
  for (const max_rows of [1, 4, 10, 1_000]) {
    const pages: string[][] = []
    for (let after: string | undefined, ends = false; !ends; ) {
      const rows = await world.rpcOf.enforcer('load_user_positions', { for_organization: id, max_rows, after })
      pages.push(rows.map(({ user_id }) => user_id))
      after = rows.at(-1)?.cursor
      ends = rows.length < max_rows
      expect(pages.length).toBeLessThan(50)
    }
    expect(pages.slice(0, -1).every((page) => page.length === max_rows)).toBe(true)
    for (const page of pages) expect(new Set(page).size).toBe(page.length)
    expect([...new Set(pages.flat())].toSorted()).toEqual(members)
    // Who is due for two reasons may come once for each.
    expect(pages.flat().length).toBeLessThanOrEqual(members.length + 5)
  }
})

test('more users who fail than one evaluation looks at keep nobody from a turn', async () => {
  const MANY = 10_000
  await world.admin.query(
    `insert into tollgate.user_quotas (organization_id, user_id, max_tokens, updated_by)
     select $1, ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 0, 'test' from generate_series(1, $2) n`,
    [id, MANY + 20],
  )
  const others = Array.from({ length: 20 }, (_, n) => idle(MANY + 1 + n))
  let failed = 0
  const failing: Rpc = async (fn, args) => {
    if (fn === 'apply_user_enforcement') {
      const { decision } = args as RpcArgs<'apply_user_enforcement'>
      if (!others.includes(decision.user_id)) {
        failed++
        throw new StoreError('deadlock', { code: 'conflict', retryable: true })
      }
    }
    return world.rpcOf.enforcer(fn, args)
  }
  const evaluateFailing = evaluateOver(failing)
  await evaluateFailing(id, 'sweep')
  expect([failed, await Promise.all(others.map(stateOf))]).toEqual([MANY, others.map(() => undefined)])
  // It goes on behind them, and begins anew at the end.
  await evaluateFailing(id, 'sweep')
  expect(await Promise.all(others.map(stateOf))).toEqual(others.map(() => 'revoked'))
  expect(failed).toBeGreaterThan(MANY)
  await world.admin.query('delete from tollgate.user_quotas where organization_id = $1', [id])
})
