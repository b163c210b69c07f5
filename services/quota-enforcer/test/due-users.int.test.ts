import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { judgePosition } from '../src/read-position.ts'
import { toUserDecision } from '../src/to-decision.ts'
import { openWorld, usageEvent, type World } from './world.ts'

// Who is due is found without a look at anybody else, and nobody who is due is missed.
let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

let id: string
beforeEach(async () => {
  id = await world.createOrganization()
})

const evaluate = () => world.evaluate(id, 'sweep')
/** Users whom an evaluation would look at now. */
const dueUsers = async (): Promise<string[]> =>
  (await world.rpcOf.enforcer('load_user_positions', { for_organization: id })).map(({ user_id }) => user_id).toSorted()
const isDue = async () =>
  (await world.rpcOf.enforcer('list_due_evaluations', { max_rows: 1_000 })).some((row) => row.organization_id === id)
const use = (user_id: string, tokens: number, time = new Date().toISOString()) =>
  world.rpcOf.worker('ingest_usage', {
    batch: { events: [{ ...usageEvent(id, tokens), user_id, time, received_at: time }] },
  })
const stateOf = async (user: string): Promise<string | undefined> => {
  const sql = 'select state from tollgate.user_enforcement_states where organization_id = $1 and user_id = $2'
  return (await world.admin.query(sql, [id, user])).rows[0]?.state
}
/** Evaluates until nothing is due, as the sweep does. */
async function settle(): Promise<void> {
  for (let round = 0; await isDue(); round++) {
    expect(round).toBeLessThan(5)
    await evaluate()
  }
}

const CROWD = 30_000
const idle = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`

/** Users like the one that was evaluated last: something used, far from any step, nothing due. */
async function addCrowd(like: string): Promise<void> {
  const crowd = `(select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as user_id
    from generate_series(1, ${CROWD}) n) c`
  const copies = [
    ['public.usage_metrics', 'date, tokens_used, input_tokens, event_count'],
    [
      'tollgate.user_quotas',
      `is_own, version, updated_by, from_date, to_date, evaluate_at, evaluate_below, changes, seen_changes`,
    ],
    [
      'tollgate.user_enforcement_states',
      'state, version, revision, period_start, period_end, due_at, reached, inputs_key, shared_key',
    ],
  ]
  for (const [table, columns] of copies) {
    const from = `${table} t cross join ${crowd} where t.organization_id = $1 and t.user_id = $2`
    const insert = `insert into ${table} (organization_id, user_id, ${columns}) select t.organization_id, c.user_id, ${columns}`
    await world.admin.query(`${insert} from ${from}`, [id, like])
    await world.admin.query(`analyze ${table}`)
  }
}

/** Pages that Postgres looks at for the questions of a sweep, once it knows the way. */
async function pagesOfSweep(): Promise<number> {
  const client = await world.admin.connect()
  try {
    const pagesOf = async (sql: string): Promise<number> => {
      const { rows } = await client.query(`explain (analyze, buffers, timing off, format json) ${sql}`)
      const { Plan: plan } = rows[0]['QUERY PLAN'][0]
      return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
    }
    const sweep = async () =>
      (await pagesOf('select * from public.list_due_evaluations(500)')) +
      (await pagesOf('select * from public.next_due_evaluation()')) +
      (await pagesOf(`select * from public.load_quota_position('${id}')`)) +
      (await pagesOf(`select * from public.load_user_positions('${id}')`))
    await sweep()
    return await sweep()
  } finally {
    client.release()
  }
}

test('a sweep reads nothing of a crowd that is idle, and finds each of them that becomes due', {
  timeout: 180_000,
}, async () => {
  await world.setUserDefault(id, 100)
  await use(id, 1)
  await settle()
  const before = await pagesOfSweep()
  await addCrowd(id)
  expect(await dueUsers()).toEqual([])
  // A sum over the crowd alone would read each of its rows: two pages a user at least. Indexes grow deeper, no more.
  expect((await pagesOfSweep()) - before).toBeLessThan(100)

  const expectDue = async (...users: string[]) => {
    expect(await dueUsers()).toEqual(users.toSorted())
    expect(await isDue()).toBe(users.length > 0)
    await settle()
    expect(await dueUsers()).toEqual([])
  }
  await use(idle(7), 20)
  await expectDue()
  await use(idle(7), 100)
  await use(idle(9), 60)
  await expectDue(idle(7), idle(9))
  expect([await stateOf(idle(7)), await stateOf(idle(9)), await stateOf(idle(8))]).toEqual([
    'revoked',
    'warned',
    'active',
  ])
  await world.setUserLimit(id, idle(11), 0)
  await expectDue(idle(11))
  await world.setUserLimit(id, idle(7), 10_000)
  await expectDue(idle(7))
  const order = { organization_id: id, user_id: id, action: 'revoke' as const, reason: 'because', actor: 'user:ada' }
  await world.rpcOf.api('order_user_enforcement', { enforcement_order: order })
  await expectDue(id)
  // The end of a period: whoever is refused or warned is looked at, the idle ones are not.
  const end = `update tollgate.user_enforcement_states set period_end = now() - interval '1 second' where organization_id = $1`
  await world.admin.query(end, [id])
  await expectDue(idle(9), idle(11), id)
  // A stranger to the books, a user of the past whose outlook was for another period.
  await use(randomUUID(), 1)
  expect(await dueUsers()).toHaveLength(1)
  await settle()
  const past = `update tollgate.user_quotas set from_date = from_date - 60, to_date = to_date - 60 where user_id = $1`
  await world.admin.query(past, [idle(12)])
  await expectDue()
  await use(idle(12), 1)
  await expectDue(idle(12))
  // Another default falls on everybody at once; they are looked at page by page.
  await world.setUserDefault(id, 50)
  expect(await isDue()).toBe(true)
  expect(await dueUsers()).toHaveLength(500)
})

/** As an evaluation does with users: it would wait for the organization's total, which is being added to. */
async function decideOnUsers(): Promise<void> {
  for (const row of await world.rpcOf.enforcer('load_user_positions', { for_organization: id })) {
    const decision = toUserDecision(row, judgePosition(row, expect.fail), 'sweep')
    await world.rpcOf.enforcer('apply_user_enforcement', { decision })
  }
}

describe('between two who each see half of it', () => {
  test('usage that is recorded while a lower limit takes hold is seen', async () => {
    await world.setUserLimit(id, id, 10_000)
    await settle()
    await world.setUserLimit(id, id, 100)
    const [row] = await world.rpcOf.enforcer('load_user_positions', { for_organization: id })
    const position = row ?? expect.fail('nobody is due')
    const worker = await world.admin.connect()
    try {
      await worker.query('begin')
      // Judged by the outlook of the limit before.
      await worker.query('select * from public.ingest_usage($1)', [{ events: [usageEvent(id, 120)] }])
      const decision = toUserDecision(position, judgePosition(position, expect.fail), 'sweep')
      const applied = world.rpcOf.enforcer('apply_user_enforcement', { decision })
      await expect.poll(waiters, { timeout: 20_000 }).toBe(1)
      await worker.query('commit')
      expect(await applied).toMatchObject([{ applied: true, state: 'active' }])
    } finally {
      worker.release()
    }
    expect(await dueUsers()).toEqual([id])
    await settle()
    expect(await stateOf(id)).toBe('revoked')
  })

  test.each(['limit', 'order'])(
    "a user's first %s is set at once, and usage that cannot have seen it is seen afterwards",
    async (first) => {
      await evaluate()
      const of = { organization_id: id, user_id: id, actor: 'test' }
      const worker = await world.admin.connect()
      try {
        await worker.query('begin')
        await worker.query('select * from public.ingest_usage($1)', [{ events: [usageEvent(id, 120)] }])
        if (first === 'order') {
          const order = { ...of, action: 'restore' as const, reason: 'because' }
          await world.rpcOf.api('order_user_enforcement', { enforcement_order: order })
          await world.admin.query('update tollgate.user_quotas set is_own = true, max_tokens = 60 where user_id = $1', [
            id,
          ])
        } else await world.rpcOf.api('set_user_quota', { change: { ...of, limit: 100 } })
        for (let round = 0; round < 2; round++) {
          await decideOnUsers()
          expect([await stateOf(id), await dueUsers()]).toEqual(['active', [id]])
        }
        await worker.query('commit')
      } finally {
        worker.release(true)
      }
      await settle()
      expect(await stateOf(id)).toBe('revoked')
      // Whoever records from now on has seen it: nobody is waited for again.
      await use(id, 1)
      expect(await dueUsers()).toEqual([])
    },
  )

  test('two batches of a user whom a default has just met are seen together', async () => {
    await evaluate()
    await world.setUserDefault(id, 50)
    await settle()
    const user = randomUUID()
    const half = (session_id: string) => [{ events: [{ ...usageEvent(id, 40), user_id: user, session_id }] }]
    const [first, second] = [await world.admin.connect(), await world.admin.connect()]
    try {
      await first.query('begin')
      await first.query('select * from public.ingest_usage($1)', half('one'))
      await second.query('begin')
      const recorded = second.query('select * from public.ingest_usage($1)', half('other'))
      await expect.poll(waiters, { timeout: 20_000 }).toBe(1)
      await first.query('commit')
      await recorded
      // The decision on the first half waits for the second, and leaves the user due.
      const decided = evaluate()
      await expect.poll(waiters, { timeout: 20_000 }).toBeGreaterThan(0)
      await second.query('commit')
      await decided
    } finally {
      first.release()
      second.release()
    }
    await settle()
    expect(await stateOf(user)).toBe('revoked')
  })

  test('two batches of different days that pass a step together are announced by the second', async () => {
    // A period that began two weeks ago, whatever day it is.
    const anchor = (new Date(Date.now() - 14 * 86_400_000).getUTCDate() % 28) + 1
    const settings = `insert into tollgate.organization_settings (organization_id, time_zone, period_anchor_day) values ($1, 'UTC', $2)`
    await world.admin.query(settings, [id, anchor])
    await world.setUserLimit(id, id, 100)
    await settle()
    const worker = await world.admin.connect()
    try {
      await worker.query('begin')
      await worker.query('select * from public.ingest_usage($1)', [{ events: [usageEvent(id, 30)] }])
      const time = new Date(Date.now() - 86_400_000).toISOString()
      // Of another conversation and day: nothing but the user's row and the organization's total is common to both.
      const event = { ...usageEvent(id, 30), session_id: 'other', time, received_at: time }
      const second = world.rpcOf.worker('ingest_usage', { batch: { events: [event] } })
      await expect.poll(waiters, { timeout: 20_000 }).toBe(1)
      await worker.query('commit')
      expect((await second)[0]?.totals).toMatchObject([{ evaluate: true }])
    } finally {
      worker.release()
    }
    expect(await dueUsers()).toEqual([id])
  })
})

const waiters = async (): Promise<number> => {
  const { rows } = await world.admin.query(`select count(*)::integer as n from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'`)
  return rows[0].n
}

test('a day that was repaired has its users looked at', async () => {
  await world.setUserLimit(id, id, 100)
  await use(id, 120)
  await settle()
  expect(await stateOf(id)).toBe('revoked')
  await world.admin.query('update public.usage_metrics set tokens_used = 7 where organization_id = $1', [id])
  const repair = `select tollgate.repair_day(m.organization_id, m.date) from public.usage_metrics m where m.organization_id = $1`
  await world.admin.query(repair, [id])
  expect(await dueUsers()).toEqual([id])
  await settle()
  expect(await stateOf(id)).toBe('revoked')
})
