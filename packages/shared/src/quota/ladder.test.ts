import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_QUOTA_POLICY, ENFORCEMENT_STATES, type QuotaPolicy, quotaPolicy } from '../contracts/index.ts'
import { decide } from './decide.ts'
import { fromPicodollars, toPicodollars } from './picodollars.ts'
import type { QuotaPosition, QuotaVerdict } from './position.ts'

const NO_FILES = { features: { file_upload: false } }
const ladder = (steps: QuotaPolicy['steps'], more: Partial<QuotaPolicy> = {}): QuotaPolicy =>
  quotaPolicy.parse({ steps, downgrade_to: NO_FILES, ...more })
const full = DEFAULT_QUOTA_POLICY

describe('soft and hard', () => {
  const policy = ladder([
    { at_percent: 100, state: 'downgraded' },
    { at_percent: 120, state: 'revoked', mode: 'soft' },
  ])
  test('a soft step is told beside the hard one that holds', () => {
    expect(decide({ used: 120n, limit: 100n }, policy)).toMatchObject({
      state: 'downgraded',
      reason: 'max_tokens_100_percent',
      observed: { state: 'revoked', reason: 'max_tokens_120_percent', because: 'soft' },
    })
  })
  test('a soft step alone warns and takes nothing', () => {
    const soft = ladder([{ at_percent: 100, state: 'revoked', mode: 'soft' }])
    expect(decide({ used: 100n, limit: 100n }, soft)).toMatchObject({
      state: 'warned',
      reason: 'max_tokens_100_percent',
      reduced_config: null,
    })
  })
  test('observing refuses nothing, manual acts included, and says what would be', () => {
    const observed = { state: 'revoked', because: 'observe' }
    expect(decide({ used: 200n, limit: 100n, observe: true }, full)).toMatchObject({ state: 'warned', observed })
    const manualAct = { act: 'revoke', until: null, used: 0n, cost: 0n } as const
    expect(decide({ used: 0n, limit: 100n, observe: true, manualAct }, full)).toMatchObject({
      state: 'warned',
      observed,
    })
  })
})

describe('grace', () => {
  const policy = ladder([{ at_percent: 100, state: 'revoked', grace_seconds: 60 }])
  test('lets what is under way finish, and then acts by time alone', () => {
    const first = decide({ used: 100n, limit: 100n, at: 1_000 }, policy)
    expect(first).toMatchObject({
      state: 'warned',
      observed: { state: 'revoked', because: 'grace', until: 61_000 },
      reached: { max_tokens_100_percent: 1_000 },
      due_at: 61_000,
    })
    const later = { used: 105n, limit: 100n, reached: first.reached }
    expect(decide({ ...later, at: 60_999 }, policy)).toMatchObject({ state: 'warned', due_at: 61_000 })
    expect(decide({ ...later, at: 61_000 }, policy)).toMatchObject({ state: 'revoked', observed: null, due_at: null })
  })
  test('begins anew for whoever fell below the step meanwhile', () => {
    const { reached } = decide(
      { used: 99n, limit: 100n, at: 2_000, reached: { max_tokens_100_percent: 1_000 } },
      policy,
    )
    expect(reached).toEqual({})
  })
})

describe('manual acts', () => {
  const act = (name: 'revoke' | 'downgrade' | 'exempt' | 'restore', until: number | null = null) =>
    ({ act: name, until, used: 110n, cost: 0n }) as const
  const at = (used: bigint, manualAct: ReturnType<typeof act>, now = 0) =>
    decide({ used, limit: 100n, manualAct, at: now }, full)
  test('revoke and downgrade hold whatever was used, until they end', () => {
    expect(at(0n, act('revoke'))).toMatchObject({ state: 'revoked', reason: 'manual_revoke' })
    expect(at(0n, act('downgrade'))).toMatchObject({ state: 'downgraded', reason: 'manual_downgrade' })
    expect(at(130n, act('downgrade'))).toMatchObject({ state: 'revoked', reason: 'max_tokens_120_percent' })
    expect(at(0n, act('revoke', 500))).toMatchObject({ state: 'revoked', due_at: 500 })
    expect(at(0n, act('revoke', 500), 500)).toMatchObject({ state: 'active', due_at: null })
  })
  test('exempt takes nothing away until its date', () => {
    expect(at(999n, act('exempt', 500))).toMatchObject({
      state: 'warned',
      observed: { because: 'exempt' },
      due_at: 500,
    })
    expect(at(999n, act('exempt', 500), 500)).toMatchObject({ state: 'revoked' })
  })
  test('restore takes back what was reached by then; the next step acts again', () => {
    expect(at(110n, act('restore'))).toMatchObject({
      state: 'warned',
      observed: { state: 'downgraded', because: 'restored' },
    })
    expect(at(120n, act('restore'))).toMatchObject({ state: 'revoked' })
  })
})

describe('reduced configs', () => {
  const named = ladder(
    [
      { at_percent: 100, state: 'downgraded' },
      { at_percent: 110, state: 'downgraded', downgrade_to: 'small' },
    ],
    { downgrade_to: 'medium', reduced_configs: { small: { enabled_models: ['small'] } } },
  )
  const reducedConfigs = { medium: { enabled_models: ['medium'] }, small: { enabled_models: ['theirs'] } }
  test("a name is looked up in the policy, then in the plan's and the installation's", () => {
    expect(decide({ used: 100n, limit: 100n, reducedConfigs }, named).reduced_config).toEqual(reducedConfigs.medium)
    expect(decide({ used: 110n, limit: 100n, reducedConfigs }, named).reduced_config).toEqual({
      enabled_models: ['small'],
    })
  })
  test('a name that nobody knows takes what the default takes', () => {
    for (const name of ['nobody', '__proto__', 'constructor']) {
      const verdict = decide({ used: 100n, limit: 100n }, { ...named, downgrade_to: name })
      expect(verdict.reduced_config).toEqual(DEFAULT_QUOTA_POLICY.downgrade_to)
    }
  })
})

describe('cost', () => {
  const policy = ladder(
    [
      { at_percent: 100, state: 'revoked' },
      { at_usd: '2.5', state: 'warned' },
    ],
    { max_cost_usd: '10' },
  )
  test('is a limit of its own, also where LLM tokens have none', () => {
    expect(decide({ used: 0n, limit: null, cost: toPicodollars('9.999999999999') }, policy)).toMatchObject({
      state: 'warned',
      reason: 'max_cost_usd_at_2.5',
      evaluate_at_cost: toPicodollars('10'),
    })
    expect(decide({ used: 0n, limit: null, cost: toPicodollars('10') }, policy)).toMatchObject({ state: 'revoked' })
  })
  test('null lifts every step in dollars, and no other', () => {
    const lifted = { ...policy, max_cost_usd: null }
    expect(decide({ used: 100n, limit: 100n, cost: toPicodollars('99') }, lifted).reason).toBe('max_tokens_100_percent')
    expect(decide({ used: 0n, limit: 100n, cost: toPicodollars('99') }, lifted).state).toBe('active')
  })
  test.each(['0', '0.000000000001', '10', '123456789.5', '-0.25'])('%s survives the way there and back', (usd) => {
    expect(fromPicodollars(toPicodollars(usd))).toBe(usd)
  })
})

test('grants lift absolute steps too', () => {
  const policy = ladder([{ at_tokens: 50, state: 'revoked' }])
  expect(decide({ used: 50n, limit: 100n }, policy).state).toBe('revoked')
  expect(decide({ used: 50n, limit: 130n, granted: 30n }, policy)).toMatchObject({ state: 'active', evaluate_at: 80n })
  expect(decide({ used: 50n, limit: null }, policy).state).toBe('active')
})

const steps = fc.array(
  fc
    .record({
      kind: fc.constantFrom('percent', 'tokens', 'usd'),
      amount: fc.integer({ min: 1, max: 130 }),
      state: fc.constantFrom('warned' as const, 'downgraded' as const, 'revoked' as const),
      mode: fc.constantFrom('hard' as const, 'soft' as const),
      grace_seconds: fc.constantFrom(0, 0, 5),
    })
    .map(({ kind, amount, ...rest }): QuotaPolicy['steps'][number] => {
      if (kind === 'percent') return { at_percent: amount, ...rest }
      return kind === 'tokens' ? { at_tokens: amount, ...rest } : { at_usd: String(amount), ...rest }
    }),
  { maxLength: 8 },
)
const policies = steps.map((list) => ladder(list, { max_cost_usd: '60' }))
const positions: fc.Arbitrary<Required<Pick<QuotaPosition, 'used' | 'cost' | 'at' | 'observe'>> & QuotaPosition> =
  fc.record({
    used: fc.bigInt(0n, 120n),
    limit: fc.option(fc.bigInt(0n, 80n)),
    cost: fc.bigInt(0n, 100n).map((dollars) => dollars * 10n ** 12n),
    at: fc.integer({ min: 0, max: 20_000 }),
    observe: fc.boolean(),
    manualAct: fc.option(
      fc.record({
        act: fc.constantFrom('revoke' as const, 'downgrade' as const, 'exempt' as const, 'restore' as const),
        until: fc.option(fc.integer({ min: 0, max: 20_000 })),
        used: fc.bigInt(0n, 100n),
        cost: fc.constant(0n),
      }),
    ),
  })
const essence = ({ state, reason, reduced_config, observed, reached }: QuotaVerdict): string =>
  JSON.stringify([state, reason, reduced_config, observed, Object.keys(reached).sort()])

test('between evaluate_below and evaluate_at nothing changes: by looking at every total', () => {
  fc.assert(
    fc.property(positions, policies, (position, policy) => {
      const present = decide(position, policy)
      const others = Array.from({ length: 260 }, (_, total) => BigInt(total - 2)).filter(
        (used) => essence(decide({ ...position, used, reached: present.reached }, policy)) !== essence(present),
      )
      expect(others.find((used) => used > position.used) ?? null).toBe(present.evaluate_at)
      const below = others.findLast((used) => used < position.used)
      expect(below === undefined ? null : below + 1n).toBe(present.evaluate_below)
    }),
    { numRuns: 30 },
  )
})

test('until due_at time changes nothing', () => {
  fc.assert(
    fc.property(positions, policies, (position, policy) => {
      const present = decide(position, policy)
      const at = (instant: number) => decide({ ...position, at: instant, reached: present.reached }, policy)
      const end = present.due_at ?? 60_000
      expect(essence(at(end - 1))).toBe(essence(present))
      expect(end).toBeGreaterThan(position.at)
    }),
  )
})

test('observing, exempting and soft steps never take anything away', () => {
  fc.assert(
    fc.property(positions, policies, (position, policy) => {
      const allSoft = { ...policy, steps: policy.steps.map((step) => ({ ...step, mode: 'soft' as const })) }
      for (const verdict of [
        decide({ ...position, observe: true }, policy),
        decide({ ...position, manualAct: null }, allSoft),
      ]) {
        expect(ENFORCEMENT_STATES.indexOf(verdict.state)).toBeLessThanOrEqual(ENFORCEMENT_STATES.indexOf('warned'))
        expect(verdict.reduced_config).toBeNull()
      }
    }),
  )
})
