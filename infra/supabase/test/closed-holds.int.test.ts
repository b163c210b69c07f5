import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { createPgRpc, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

let database: TestDatabase
let db: pg.Pool
let api: RpcStore
beforeAll(async () => {
  database = await createTestDatabase()
  db = new pg.Pool({ connectionString: database.databaseUrl, max: 2 })
  api = createPgRpc({
    ...{ connectionString: database.urls['token-api'], max: 2, applicationName: 'test', statementTimeoutMs: 20_000 },
    onError: () => undefined,
  })
})
afterAll(async () => {
  await Promise.allSettled([api.close(), db.end()])
  await database.drop()
})

const PERIOD = `date_trunc('month', now() at time zone 'UTC') at time zone 'UTC'`
let organization: string
let user: string
beforeEach(async () => {
  organization = randomUUID()
  await db.query(
    `insert into public.organizations (id, name, domain, plan_type, librechat_config) values ($1, 'Org', $2, 'starter', $3)`,
    [organization, organization, { max_tokens: 1_000 }],
  )
  user = await addUser()
})

async function addUser(): Promise<string> {
  const id = randomUUID()
  await db.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.com`])
  await db.query('insert into public.profiles (id, organization_id, email) values ($1, $2, $3)', [
    id,
    organization,
    `${id}@example.com`,
  ])
  return id
}

const reserve = async (total: number, user_id = user, observe = false) => {
  const wanted = { id: randomUUID(), organization_id: organization, user_id, session_id: 'chat-1' }
  const requests = [{ ...wanted, total_tokens: total, ttl_seconds: 60 }]
  const [row] = await api.rpc('reserve_tokens', { batch: { requests, observe } })
  return row ?? expect.fail('no row')
}
const outcome = async (total: number, user_id = user, observe = false) =>
  (await reserve(total, user_id, observe)).outcome
const use = (total: number) =>
  db.query(
    `insert into tollgate.period_totals (organization_id, period_start, used_tokens) values ($1, ${PERIOD}, $2)
     on conflict (organization_id, period_start) do update set used_tokens = excluded.used_tokens`,
    [organization, total],
  )
const useAs = (user_id: string, total: number) =>
  db.query(
    `insert into public.usage_metrics (organization_id, user_id, date, tokens_used) values ($1, $2, current_date, $3)`,
    [organization, user_id, total],
  )
/** As the enforcer leaves it. */
const setState = (state: string) =>
  db.query(
    `insert into tollgate.enforcement_states (organization_id, state, reason, decision_id, period_start, period_end, inputs_key)
     values ($1, $2, 'max_tokens_120_percent', gen_random_uuid(), ${PERIOD}, now() + interval '9 days', 'x')
     on conflict (organization_id) do update set state = excluded.state`,
    [organization, state],
  )
const order = async (action: 'revoke' | 'downgrade' | 'exempt' | 'restore' | 'clear', until?: string) =>
  (
    await api.rpc('order_enforcement', {
      enforcement_order: { organization_id: organization, action, until, reason: 'because', actor: 'user:ada' },
    })
  )[0]
const orderUser = async (action: 'revoke' | 'exempt' | 'restore' | 'clear', until?: string) =>
  (
    await api.rpc('order_user_enforcement', {
      enforcement_order: {
        organization_id: organization,
        user_id: user,
        action,
        until,
        reason: 'because',
        actor: 'ada',
      },
    })
  )[0]
const setUserLimit = (limit: number | null, follow_default = false) =>
  api.rpc('set_user_quota', {
    change: { organization_id: organization, user_id: user, limit, follow_default, actor: 'ada' },
  })
const setDefault = (limit: number | null) =>
  api.rpc('set_user_default', { change: { organization_id: organization, limit, actor: 'ada' } })
const later = () => new Date(Date.now() + 3_600_000).toISOString()

describe('whoever is revoked holds nothing, whatever is left', () => {
  test('by the ladder: as the enforcer left it, with the decision', async () => {
    await setState('revoked')
    expect(await reserve(1)).toMatchObject({
      outcome: 'closed',
      refusal: { scope: 'organization', reason: 'max_tokens_120_percent' },
      decision_id: expect.any(String),
      remaining_tokens: '0',
    })
    await setState('downgraded')
    expect(await outcome(1)).toBe('held')
  })

  test('until the period of the decision is over, where it lapses then: nobody has to decide anew first', async () => {
    const end = (lapses: boolean, when: string) =>
      db.query(
        `update tollgate.enforcement_states set lapses = $2, period_end = now() + $3::interval where organization_id = $1`,
        [organization, lapses, when],
      )
    await setState('revoked')
    await end(true, '1 minute')
    expect(await outcome(1)).toBe('closed')
    await end(true, '0')
    expect(await outcome(1)).toBe('held')
    expect(await outcome(1_000)).toBe('refused')
    await end(false, '0')
    expect(await outcome(1)).toBe('closed')
    await end(true, '0')
    await order('revoke')
    expect(await outcome(1)).toBe('closed')
    await order('clear')
    await setUserLimit(100)
    await db.query(
      `insert into tollgate.user_enforcement_states (organization_id, user_id, state, period_start, period_end, inputs_key, lapses)
       values ($1, $2, 'revoked', ${PERIOD}, now() + interval '1 minute', 'x', true)`,
      [organization, user],
    )
    expect(await reserve(1)).toMatchObject({ outcome: 'closed', refusal: { scope: 'user' } })
    await db.query('update tollgate.user_enforcement_states set period_end = now() where user_id = $1', [user])
    expect(await outcome(1)).toBe('held')
  })

  test('by hand: at once, before the enforcer has put it into force, and until it is taken back', async () => {
    const ordered = await order('revoke')
    expect(await reserve(1)).toMatchObject({
      outcome: 'closed',
      refusal: { scope: 'organization', reason: 'manual_revoke' },
      decision_id: ordered?.decision_id,
    })
    await order('clear')
    expect(await outcome(1)).toBe('held')
  })

  test('a user alone, where the organization has a limit and where it has none', async () => {
    const colleague = await addUser()
    for (const limit of [1_000, null]) {
      await db.query('update public.organizations set librechat_config = $2 where id = $1', [
        organization,
        { max_tokens: limit },
      ])
      const ordered = await orderUser('revoke')
      expect(await reserve(1)).toMatchObject({
        outcome: 'closed',
        refusal: { scope: 'user', reason: 'manual_revoke' },
        decision_id: ordered?.decision_id,
      })
      expect(await outcome(1, colleague)).toBe('held')
      await orderUser('clear')
      expect(await outcome(1)).toBe('held')
    }
  })

  test('observed, by the organization or by the asking gate, and paused: held all the same', async () => {
    await setState('revoked')
    await order('revoke')
    expect(await outcome(5_000, user, true)).toBe('held')
    expect(await outcome(5_000)).toBe('closed')
    await db.query('update tollgate.enforcement_control set paused = true')
    expect(await outcome(5_000)).toBe('held')
    await db.query('update tollgate.enforcement_control set paused = false')
    await db.query(
      `insert into tollgate.organization_settings (organization_id, enforcement_mode) values ($1, 'observe')`,
      [organization],
    )
    expect(await outcome(5_000)).toBe('held')
  })
})

describe('access restored by hand', () => {
  test('past the limit holds go on to the next step that revokes, and no further', async () => {
    await use(1_100)
    expect(await outcome(1)).toBe('refused')
    await order('restore')
    expect(await reserve(100)).toMatchObject({ outcome: 'held', limit_tokens: '1200', remaining_tokens: '0' })
    expect(await outcome(1)).toBe('refused')
  })

  test('past the last step they go on without an end, until it is taken back', async () => {
    await use(1_300)
    await order('restore')
    expect(await reserve(5_000)).toMatchObject({ outcome: 'held', remaining_tokens: null })
    await order('clear')
    expect(await outcome(1)).toBe('refused')
  })

  test('below the limit the limit holds; a ladder of its own says which step is next', async () => {
    await use(900)
    await order('restore')
    expect(await outcome(101)).toBe('refused')
    const steps = [
      { at_percent: 110, state: 'revoked', mode: 'soft' },
      { at_tokens: 3_000, state: 'revoked' },
      { at_percent: 200, state: 'revoked' },
      { at_usd: '1', state: 'revoked' },
    ] as const
    const change = { organization_id: organization, limit: 1_000, policy: { steps, downgrade_to: {} } }
    await api.rpc('set_quota', { change: { ...change, actor: 'ada', only_lower: false } })
    await use(1_100)
    await order('restore')
    expect(await reserve(900)).toMatchObject({ outcome: 'held', limit_tokens: '2000' })
    await use(2_500)
    await order('restore')
    expect(await reserve(1)).toMatchObject({ limit_tokens: '3000' })
  })

  test('an exemption lifts the limit of the organization, and not that of a user', async () => {
    await use(1_300)
    await setUserLimit(100)
    await order('exempt', later())
    expect(await outcome(5_000, await addUser())).toBe('held')
    expect(await reserve(101)).toMatchObject({ outcome: 'refused', refusal: { scope: 'user', limit_tokens: '100' } })
    await orderUser('exempt', later())
    expect(await outcome(101)).toBe('held')
  })

  test('of a user: forgives what the user has used', async () => {
    await setUserLimit(100)
    await useAs(user, 130)
    expect(await outcome(1)).toBe('refused')
    await orderUser('restore')
    expect(await outcome(700)).toBe('held')
    await orderUser('clear')
    expect(await outcome(1)).toBe('refused')
  })
})

describe("an organization's default for its users", () => {
  test('limits each user for itself; an own limit, larger or none, takes its place, and the organization still holds', async () => {
    const colleague = await addUser()
    await setDefault(300)
    await useAs(user, 100)
    expect(await outcome(201)).toBe('refused')
    expect(await reserve(200)).toMatchObject({ outcome: 'held', remaining_tokens: '0' })
    expect(await reserve(1)).toMatchObject({ outcome: 'refused', refusal: { scope: 'user', reserved_tokens: '200' } })
    expect(await outcome(300, colleague)).toBe('held')
    await setUserLimit(null)
    expect(await reserve(501)).toMatchObject({ outcome: 'refused', refusal: { scope: 'organization' } })
    expect(await outcome(50)).toBe('held')
    await setUserLimit(400)
    expect(await outcome(51)).toBe('refused')
    expect(await outcome(50)).toBe('held')
    await setUserLimit(null, true)
    expect(await reserve(1)).toMatchObject({ outcome: 'refused', refusal: { scope: 'user', limit_tokens: '300' } })
    await setDefault(null)
    expect(await outcome(1)).toBe('held')
  })

  test('the report of a user shows whose limit it is and the open holds', async () => {
    await setDefault(300)
    await reserve(120)
    const load = async () =>
      (await api.rpc('load_user_quota', { for_organization: organization, for_user: user }))[0] ?? expect.fail()
    expect(await load()).toMatchObject({ limit_tokens: '300', limit_from: 'default', reserved_tokens: '120' })
    await db.query(`update tollgate.reservations set expires_at = now() where user_id = $1`, [user])
    expect(await load()).toMatchObject({ reserved_tokens: '0' })
    await setUserLimit(null)
    expect(await load()).toMatchObject({ limit_tokens: null, limit_from: 'user' })
  })
})

test.each([
  ['has expired', `now() - interval '2 hours'`, `now() - interval '1 hour'`],
  ['was spent in the period before', `${PERIOD} - interval '1 day'`, 'null'],
])('a grant that %s holds nothing, also where nobody has settled it yet', async (_, given, expires) => {
  await db.query(
    `select public.create_grant(jsonb_build_object('organization_id', $1::uuid, 'amount', 500, 'at', ${given},
       'expires_at', ${expires}, 'reason', 'test', 'idempotency_key', 'k', 'actor', 'test'))`,
    [organization],
  )
  await db.query(
    `insert into tollgate.period_totals (organization_id, period_start, used_tokens)
     values ($1, (${PERIOD} at time zone 'UTC' - interval '1 month') at time zone 'UTC', 1_500)`,
    [organization],
  )
  expect([await outcome(1_001), await outcome(1_000)]).toEqual(['refused', 'held'])
})
