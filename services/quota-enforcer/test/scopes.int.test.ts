import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { openTraveller } from './virtual-time.ts'
import { evaluateOver, openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

let id: string
beforeEach(async () => {
  id = await world.createOrganization()
  await world.setLimit(id, 1_000)
})

const state = async () => (await world.readPosition(id)).state
const evaluate = () => world.evaluate(id, 'usage')
const order = (action: 'revoke' | 'downgrade' | 'exempt' | 'restore' | 'clear', until?: string) =>
  world.rpcOf.api('order_enforcement', {
    enforcement_order: { organization_id: id, action, until, reason: 'because', actor: 'user:ada' },
  })
const grant = (amount: number, more: { expires_at?: string; idempotency_key?: string } = {}) =>
  world.rpcOf.api('create_grant', {
    grant_order: {
      organization_id: id,
      amount,
      reason: 'topped up',
      actor: 'key:op',
      idempotency_key: randomUUID(),
      ...more,
    },
  })
const isDue = async () =>
  (await world.rpcOf.enforcer('list_due_evaluations', { max_rows: 1_000 })).some((row) => row.organization_id === id)
// Far enough that what comes before it is also done in time on a machine that stalls.
const inAMoment = () => new Date(Date.now() + 2_000).toISOString()
const untilDue = () => vi.waitFor(async () => expect(await isDue()).toBe(true), { timeout: 20_000, interval: 20 })

describe('grants', () => {
  test('lift a revocation at once, give once per key, and end with their date', async () => {
    await world.use(id, 1_200)
    await evaluate()
    expect(await state()).toBe('revoked')
    const key = randomUUID()
    expect(await grant(2_000, { expires_at: inAMoment(), idempotency_key: key })).toMatchObject([{ created: true }])
    expect(await isDue()).toBe(true)
    await evaluate()
    expect(await world.readPosition(id)).toMatchObject({
      state: 'active',
      limit_tokens: '3000',
      granted_tokens: '2000',
    })
    expect(await grant(2_000, { idempotency_key: key })).toMatchObject([{ created: false, matches: false }])
    await untilDue()
    await evaluate()
    // It expired first, so it was spent first: 1,200 of it were used, and the monthly limit is whole again.
    expect(await world.readPosition(id)).toMatchObject({
      state: 'warned',
      limit_tokens: '2200',
      granted_tokens: '1200',
    })
    expect(await evaluate()).toBe('unchanged')
    const decisions = await world.readDecisions(id)
    expect(decisions.map(({ to_state }) => to_state)).toEqual(['revoked', 'active', 'warned'])
    expect(decisions[1]?.inputs).toMatchObject({ granted_tokens: '2000', base_limit_tokens: '1000' })
  })
})

describe('grants that nobody settles in time', () => {
  test.each([
    ['as each expires', true],
    ['all at once, when both have expired and more was used', false],
  ])('gave what was used until they expired: %s', async (_, isInTime) => {
    const start = Date.UTC(2027, 4, 12, 9)
    const hour = 3_600_000
    const clock = { at: start }
    const traveller = await openTraveller(world, evaluateOver, clock)
    const at = new Date(start).toISOString()
    const give = (amount: number, expiresAt: number) =>
      world.rpcOf.api('create_grant', {
        grant_order: {
          ...{ organization_id: traveller.id, amount, expires_at: new Date(expiresAt).toISOString(), at },
          ...{ reason: 'topped up', actor: 'key:op', idempotency_key: randomUUID() },
        },
      })
    await give(300, start + 2 * hour)
    await give(1_000, start + 4 * hour)
    for (const [after, tokens] of [
      [1, 200],
      [2, 400], // at the instant of an expiry: no longer of that grant
      [5, 900],
    ] as const) {
      clock.at = start + after * hour
      if (isInTime) await traveller.sweep()
      await traveller.use(tokens)
    }
    await traveller.sweep()
    const sql = `select g.amount_tokens, s.spent_tokens, g.closed_at = g.expires_at as is_closed_then
      from tollgate.grants g join tollgate.grant_spending s on s.grant_id = g.id
      where g.organization_id = $1 order by g.expires_at`
    expect((await world.admin.query(sql, [traveller.id])).rows).toEqual([
      { amount_tokens: '300', spent_tokens: '200', is_closed_then: true },
      { amount_tokens: '1000', spent_tokens: '400', is_closed_then: true },
    ])
    expect(await traveller.position()).toMatchObject({ used_tokens: '1500', limit_tokens: '1600' })
  })
})

describe('manual acts', () => {
  test('are decisions with actor and reason, before and when they take effect', async () => {
    const [ordered] = await order('revoke')
    expect(await isDue()).toBe(true)
    await evaluate()
    expect(await world.readPosition(id)).toMatchObject({ state: 'revoked', reason: 'manual_revoke', version: '1' })
    const [act, change] = await world.readDecisions(id)
    expect(act).toMatchObject({ id: ordered?.decision_id, reason: 'ordered_revoke', actor: 'user:ada' })
    expect(change).toMatchObject({
      to_state: 'revoked',
      actor: 'user:ada',
      inputs: { act_decision_id: ordered?.decision_id },
    })
    await order('clear')
    await evaluate()
    expect(await world.readPosition(id)).toMatchObject({ state: 'active', version: '2' })
  })
  test('restore forgives what was used, and the next step acts again', async () => {
    await world.use(id, 1_100)
    await evaluate()
    expect(await state()).toBe('downgraded')
    await order('restore')
    await evaluate()
    expect(await world.readPosition(id)).toMatchObject({
      state: 'warned',
      reduced_config: null,
      observed: { because: 'restored' },
    })
    const [answer] = await world.use(id, 100)
    expect(answer?.totals).toMatchObject([{ evaluate: true }])
    await evaluate()
    expect(await state()).toBe('revoked')
  })
  test('an exemption ends at its date by itself', async () => {
    await world.use(id, 1_200)
    await order('exempt', inAMoment())
    await evaluate()
    expect(await state()).toBe('warned')
    await untilDue()
    await evaluate()
    expect(await state()).toBe('revoked')
  })
})

describe('observing', () => {
  test('records what would happen and refuses nothing; enforcing again takes hold at once', async () => {
    const mode = `insert into tollgate.organization_settings (organization_id, enforcement_mode) values ($1, $2)
      on conflict (organization_id) do update set enforcement_mode = excluded.enforcement_mode`
    await world.admin.query(mode, [id, 'observe'])
    await world.use(id, 1_200)
    await evaluate()
    const position = await world.readPosition(id)
    expect(position).toMatchObject({
      state: 'warned',
      version: '0',
      observed: { state: 'revoked', because: 'observe' },
    })
    expect(await world.readDecisions(id)).toMatchObject([{ to_state: 'warned', observed: { state: 'revoked' } }])
    await world.admin.query(mode, [id, 'enforce'])
    expect(await isDue()).toBe(true)
    await evaluate()
    expect(await state()).toBe('revoked')
  })
})

describe('limits of users', () => {
  const user = (limit: number | null) => world.setUserLimit(id, id, limit)
  const userState = async () =>
    (await world.admin.query('select state, version from tollgate.user_enforcement_states where user_id = $1', [id]))
      .rows[0]

  test('stop the user alone, wake at the crossing, and are lifted by a larger limit', async () => {
    await user(100)
    await evaluate()
    const [quiet] = await world.use(id, 40)
    expect(quiet?.totals).toMatchObject([{ evaluate: false }])
    const [crossing] = await world.use(id, 80)
    expect(crossing?.totals).toMatchObject([{ evaluate: true }])
    expect(await evaluate()).toBe('changed')
    expect(await userState()).toMatchObject({ state: 'revoked', version: '1' })
    expect((await world.readDecisions(id)).at(-1)?.inputs).toMatchObject({
      ...{ limit_tokens: '100', used_tokens: '120', reserved_tokens: '0', policy_version: '1', percent: 120 },
      ...{ as_of: expect.any(String), counted_at: expect.any(String) },
    })
    expect(await state()).toBe('active')
    const [published] = (await world.rpcOf.api('list_enforcement', {})).filter((row) => row.user_id === id)
    expect(published).toMatchObject({ organization_id: id, state: 'revoked', version: '1' })
    await user(10_000)
    expect(await isDue()).toBe(true)
    await evaluate()
    expect(await userState()).toMatchObject({ state: 'active', version: '2' })
    await user(null)
    await evaluate()
    expect(await isDue()).toBe(false)
  })
  test("the organization's default holds for whoever has no own limit, from the first usage on", async () => {
    await world.setUserDefault(id, 100)
    await evaluate()
    expect(await userState()).toBeUndefined()
    const [first] = await world.use(id, 10)
    expect(first?.totals).toMatchObject([{ evaluate: true }])
    await evaluate()
    const [second] = await world.use(id, 10)
    expect(second?.totals).toMatchObject([{ evaluate: false }])
    const [crossing] = await world.use(id, 100)
    expect(crossing?.totals).toMatchObject([{ evaluate: true }])
    await evaluate()
    expect(await userState()).toMatchObject({ state: 'revoked' })
    expect(await state()).toBe('active')
    await user(null)
    await evaluate()
    expect(await userState()).toMatchObject({ state: 'active' })
    await world.followDefault(id)
    expect(await isDue()).toBe(true)
    await evaluate()
    expect(await userState()).toMatchObject({ state: 'revoked' })
    await world.setUserDefault(id, 10_000)
    expect(await isDue()).toBe(true)
    await evaluate()
    expect(await userState()).toMatchObject({ state: 'active' })
    expect(await isDue()).toBe(false)
  })
  test('a default of 0 stops users who have used nothing yet', async () => {
    await world.setUserDefault(id, 0)
    expect(await isDue()).toBe(true)
    await evaluate()
    expect(await userState()).toMatchObject({ state: 'revoked' })
    expect(await isDue()).toBe(false)
  })
})

describe('manual acts on a user', () => {
  const act = (action: 'revoke' | 'downgrade' | 'exempt' | 'restore' | 'clear', until?: string, user_id = id) =>
    world.rpcOf.api('order_user_enforcement', {
      enforcement_order: { organization_id: id, user_id, action, until, reason: 'because', actor: 'user:ada' },
    })
  const stateOfUser = async () =>
    (await world.admin.query('select * from tollgate.user_enforcement_states where user_id = $1', [id])).rows[0]

  test('bear on that user alone, and are decisions with actor and reason', async () => {
    const [ordered] = await act('revoke')
    expect(await isDue()).toBe(true)
    await evaluate()
    expect(await stateOfUser()).toMatchObject({ state: 'revoked', reason: 'manual_revoke', version: '1' })
    expect(await state()).toBe('active')
    expect(await world.readDecisions(id)).toMatchObject([
      { user_id: id, reason: 'ordered_revoke', actor: 'user:ada', inputs: { reason: 'because', used_tokens: '0' } },
      {
        ...{ user_id: id, to_state: 'revoked', actor: 'user:ada' },
        inputs: { act: 'revoke', act_decision_id: ordered?.decision_id },
      },
    ])
    await act('downgrade')
    await evaluate()
    expect(await stateOfUser()).toMatchObject({ state: 'downgraded', reduced_config: expect.anything() })
    await act('clear')
    await evaluate()
    expect(await stateOfUser()).toMatchObject({ state: 'active', reduced_config: null, version: '3' })
    expect(await isDue()).toBe(false)
  })
  test('restore forgives what was used, an exemption ends by itself, strangers are nobody', async () => {
    await world.setUserLimit(id, id, 100)
    await world.use(id, 120)
    await evaluate()
    expect(await stateOfUser()).toMatchObject({ state: 'revoked' })
    await act('restore')
    await evaluate()
    expect(await stateOfUser()).toMatchObject({ state: 'warned', observed: { because: 'restored' } })
    await act('exempt', inAMoment())
    await evaluate()
    expect(await stateOfUser()).toMatchObject({ state: 'warned', observed: { because: 'exempt' } })
    await untilDue()
    await evaluate()
    expect(await stateOfUser()).toMatchObject({ state: 'revoked' })
    expect(await act('revoke', undefined, randomUUID())).toEqual([])
  })
})
