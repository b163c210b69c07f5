import { randomUUID } from 'node:crypto'
import { DEFAULT_QUOTA_POLICY } from '@tollgate/shared/contracts'
import { fromPicodollars, toPicodollars } from '@tollgate/shared/quota'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openWorld, usageEvent, type World } from './world.ts'

let world: World
let enforcer: ReturnType<World['start']>
beforeAll(async () => {
  world = await openWorld()
  enforcer = world.start({ sweepIntervalMs: 200 })
})
afterAll(async () => {
  await enforcer.stop()
  await world.close()
})

const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 10_000, interval: 20 })

const untilState = (organizationId: string, state: string, revision?: string) =>
  vi.waitFor(
    async () => {
      const [position, copy] = await Promise.all([world.readPosition(organizationId), world.readCopy(organizationId)])
      expect(position.state).toBe(state)
      expect(copy).toMatchObject({ state, revision: position.revision })
      if (revision) expect(BigInt(position.revision ?? 0)).toBeGreaterThan(BigInt(revision))
      return position
    },
    { timeout: 10_000, interval: 20 },
  )

const revokedOrganization = async (): Promise<string> => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.use(id, 1_200)
  await world.wake(id)
  await untilState(id, 'revoked')
  return id
}

test('crossing 50, 100 and 120 % gives warned, downgraded and revoked, each on record, versions only rising', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  for (const [tokens, state] of [
    [500, 'warned'],
    [500, 'downgraded'],
    [200, 'revoked'],
  ] as const) {
    await world.use(id, tokens)
    await world.wake(id)
    await untilState(id, state)
  }
  const decisions = await world.readDecisions(id)
  expect(decisions.map(({ from_state, to_state, reason, version }) => [from_state, to_state, reason, version])).toEqual(
    [
      ['active', 'warned', 'max_tokens_50_percent', '0'],
      ['warned', 'downgraded', 'max_tokens_100_percent', '1'],
      ['downgraded', 'revoked', 'max_tokens_120_percent', '2'],
    ],
  )
  expect(decisions.at(-1)).toMatchObject({
    actor: 'quota-enforcer',
    inputs: { limit_tokens: '1000', used_tokens: '1200', reserved_tokens: '0', policy_version: '1', percent: 120 },
  })
  expect(await world.readCopy(id)).toMatchObject({
    version: 2,
    decision_id: decisions.at(-1)?.id,
    reduced_config: DEFAULT_QUOTA_POLICY.downgrade_to,
  })
})

test('usage that is announced reaches a state at once, long before a sweep would', async () => {
  const slow = world.start()
  const id = await world.createOrganization()
  await world.setLimit(id, 100)
  const [answer] = await world.use(id, 100)
  expect(answer?.totals).toMatchObject([{ organization_id: id, evaluate: true }])
  await world.wake(id)
  await untilState(id, 'downgraded')
  await slow.stop()
})

test('raising the limit restores without a wake-up, and lowering it takes hold again', async () => {
  // Not by revokedOrganization: its wake-up may still be waiting, and would be the one that restores.
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.use(id, 1_200)
  await untilState(id, 'revoked')
  const { version } = await world.readPosition(id)
  await world.setLimit(id, 1_000_000)
  const restored = await untilState(id, 'active')
  expect(Number(restored.version)).toBeGreaterThan(Number(version))
  expect(restored.reduced_config).toBeNull()
  await world.setLimit(id, 1_100)
  const lowered = await untilState(id, 'downgraded')
  expect(Number(lowered.version)).toBeGreaterThan(Number(restored.version))
  const decisions = await world.readDecisions(id)
  expect(decisions.map(({ to_state }) => to_state)).toEqual(['revoked', 'active', 'downgraded'])
  expect(decisions[1]?.inputs).toMatchObject({ trigger: 'limit_changed' })
})

test('an unlimited organization is active whatever it uses', async () => {
  const id = await revokedOrganization()
  await world.setLimit(id, null)
  await untilState(id, 'active')
  await world.use(id, 1_000_000)
  await world.wake(id)
  expect(await world.readPosition(id)).toMatchObject({ state: 'active', limit_tokens: null })
})

test('the end of a period restores access by the sweep', async () => {
  // Not by revokedOrganization: its wake-up may still be waiting, and would be the one that restores.
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.use(id, 1_200)
  await untilState(id, 'revoked')
  const before = await world.readPosition(id)
  await world.endPeriod(id)
  const after = await untilState(id, 'active')
  expect(Number(after.version)).toBeGreaterThan(Number(before.version))
  expect((await world.readDecisions(id)).at(-1)?.inputs).toMatchObject({ trigger: 'period', used_tokens: '0' })
  await until(async () =>
    expect(await enforcer.readMetric('tollgate_sweep_healed_total', { reason: 'period' })).toBeGreaterThan(0),
  )
})

test('the end of a period that changes nothing still tells the gates the new end', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.use(id, 10)
  await world.wake(id)
  const { revision } = await untilState(id, 'active')
  await world.endPeriod(id)
  const after = await untilState(id, 'active', revision ?? '0')
  expect(await world.readCopy(id)).toMatchObject({ period_end: after.period_end })
  expect(await world.readDecisions(id)).toEqual([])
})

test('a wake-up for an unknown organization is dropped and counted', async () => {
  await world.wake(crypto.randomUUID())
  await until(async () => {
    const dropped = await enforcer.readMetric('tollgate_quota_evaluations_total', { outcome: 'unknown_organization' })
    expect(dropped).toBe(1)
  })
})

test('a wake-up for something that is no id is given up at once', async () => {
  await world.wake('nobody')
  await until(async () => {
    expect(await enforcer.readMetric('tollgate_quota_evaluations_dead_letters_total')).toBe(1)
  })
})

test('an own ladder holds instead of the default', async () => {
  const id = await world.createOrganization()
  const policy = { steps: [{ at_percent: 10, state: 'revoked' as const }], downgrade_to: { enabled_models: [] } }
  await world.setLimit(id, 1_000, policy)
  await world.use(id, 100)
  await world.wake(id)
  const position = await untilState(id, 'revoked')
  expect(position).toMatchObject({ reason: 'max_tokens_10_percent', reduced_config: { enabled_models: [] } })
})

test('a limit of cost stops as one of LLM tokens does, is on record, and lets in again after a correction', async () => {
  const id = await world.createOrganization()
  await world.use(id, 1_000)
  const costOf = toPicodollars((await world.readPosition(id)).cost_usd)
  expect(costOf).toBeGreaterThan(0n)
  const max_cost_usd = fromPicodollars(costOf * 3n)
  const steps = [
    { at_usd: fromPicodollars(costOf * 2n), state: 'warned' as const },
    { at_percent: 100, state: 'revoked' as const },
  ]
  await world.setLimit(id, null, { steps, downgrade_to: {}, max_cost_usd })
  await untilState(id, 'active')
  const event = usageEvent(id, 1_000)
  for (const [used, state] of [
    [event, 'warned'],
    [usageEvent(id, 1_000), 'revoked'],
  ] as const) {
    const [answer] = await world.rpcOf.worker('ingest_usage', { batch: { events: [used] } })
    expect(answer?.totals).toMatchObject([{ evaluate: true }])
    await world.wake(id)
    await untilState(id, state)
  }
  expect((await world.readDecisions(id)).at(-1)).toMatchObject({
    reason: 'max_cost_usd_100_percent',
    inputs: { limit_tokens: null, max_cost_usd, used_tokens: '3000' },
  })
  const { source } = event
  const corrects = { source, id: event.id }
  const correction = { ...event, id: randomUUID(), type: 'usage.corrected' as const, corrects, revision: 1 }
  await world.rpcOf.worker('ingest_usage', { batch: { events: [{ ...correction, input_tokens: 999 }] } })
  await world.wake(id)
  await untilState(id, 'warned')
})

test.each([
  ['no cost', { steps: [{ at_percent: 100, state: 'revoked' }], max_cost_usd: '0.00' }],
  ['nothing from the first LLM token on', { steps: [{ at_tokens: 0, state: 'revoked' }] }],
  ['not a cent', { steps: [{ at_usd: '0', state: 'revoked' }] }],
])('a plan that allows %s stops an organization that has used nothing yet', async (plan_type, policy) => {
  const id = await world.createOrganization()
  const plan = 'insert into tollgate.plans (plan_type, librechat_config, policy) values ($1, $2, $3)'
  await world.admin.query(plan, [plan_type, { max_tokens: 1_000 }, { ...policy, downgrade_to: {} }])
  await world.admin.query('update public.organizations set plan_type = $2 where id = $1', [id, plan_type])
  await untilState(id, 'revoked')
})
