import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DEFAULT_QUOTA_POLICY,
  ENFORCEMENT_STATES,
  type EnforcementState,
  type QuotaPolicy,
} from '../contracts/index.ts'
import { decide } from './decide.ts'
import type { QuotaVerdict } from './position.ts'
import { thresholdOf } from './rungs.ts'

const rank = (state: EnforcementState): number => ENFORCEMENT_STATES.indexOf(state)

const steps = fc.array(
  fc.record({
    at_percent: fc.integer({ min: 1, max: 1_000 }),
    state: fc.constantFrom('warned' as const, 'downgraded' as const, 'revoked' as const),
  }),
  { maxLength: 20 },
)
const policies = steps.map((steps): QuotaPolicy => ({ steps, downgrade_to: { features: { file_upload: false } } }))
const amounts = fc.oneof(fc.bigInt(0n, 500n), fc.bigInt(0n, 2n ** 62n))
// Totals of interest lie around the thresholds.
const positions = fc
  .record({ limit: amounts, percent: fc.integer({ min: 0, max: 1_100 }), offset: fc.bigInt(-2n, 2n) })
  .map(({ limit, percent, offset }) => {
    const used = thresholdOf(limit, percent) + offset
    return { limit, used: used < 0n ? 0n : used }
  })

const withoutOutlook = ({ state, reason, reduced_config, observed }: QuotaVerdict) => ({
  state,
  reason,
  reduced_config,
  observed,
})

describe('the default ladder on a limit of 1000', () => {
  const reducedFeatures = DEFAULT_QUOTA_POLICY.downgrade_to
  test.each([
    [0n, 'active', 'within_limit', null, 500n],
    [499n, 'active', 'within_limit', null, 500n],
    [500n, 'warned', 'max_tokens_50_percent', null, 800n],
    [899n, 'warned', 'max_tokens_80_percent', null, 900n],
    [999n, 'warned', 'max_tokens_90_percent', null, 1_000n],
    [1_000n, 'downgraded', 'max_tokens_100_percent', reducedFeatures, 1_200n],
    [1_200n, 'revoked', 'max_tokens_120_percent', reducedFeatures, null],
  ] as const)('%s used: %s', (used, state, reason, reduced_config, evaluate_at) => {
    expect(decide({ used, limit: 1_000n }, DEFAULT_QUOTA_POLICY)).toMatchObject({
      state,
      reason,
      reduced_config,
      evaluate_at,
    })
  })
})

test('without a limit an organization stays active and is never looked at again', () => {
  expect(decide({ used: 2n ** 62n, limit: null }, DEFAULT_QUOTA_POLICY)).toEqual({
    state: 'active',
    reason: 'within_limit',
    reduced_config: null,
    observed: null,
    reached: {},
    evaluate_at: null,
    evaluate_below: null,
    evaluate_at_cost: null,
    evaluate_below_cost: null,
    due_at: null,
  })
})

test('a limit of 0 reaches every step before the first LLM token', () => {
  expect(decide({ used: 0n, limit: 0n }, DEFAULT_QUOTA_POLICY)).toMatchObject({ state: 'revoked', evaluate_at: null })
})

test('thresholds round up, so that a step is never reached below its share', () => {
  expect(thresholdOf(3n, 50)).toBe(2n)
  expect(decide({ used: 1n, limit: 3n }, DEFAULT_QUOTA_POLICY)).toMatchObject({ state: 'active', evaluate_at: 2n })
})

test('a milder step above a stricter one changes nothing and wakes nobody', () => {
  const policy: QuotaPolicy = {
    steps: [
      { at_percent: 50, state: 'revoked' },
      { at_percent: 80, state: 'warned' },
    ],
    downgrade_to: {},
  }
  expect(decide({ used: 90n, limit: 100n }, policy)).toMatchObject({
    state: 'revoked',
    reason: 'max_tokens_50_percent',
    evaluate_at: null,
  })
})

test('more usage never gives a milder state', () => {
  fc.assert(
    fc.property(positions, amounts, policies, ({ used, limit }, more, policy) => {
      const before = decide({ used, limit }, policy)
      const after = decide({ used: used + more, limit }, policy)
      expect(rank(after.state)).toBeGreaterThanOrEqual(rank(before.state))
    }),
  )
})

test('a higher limit never gives a stricter state', () => {
  fc.assert(
    fc.property(positions, amounts, policies, ({ used, limit }, more, policy) => {
      const before = decide({ used, limit }, policy)
      const after = decide({ used, limit: limit + more }, policy)
      expect(rank(after.state)).toBeLessThanOrEqual(rank(before.state))
    }),
  )
})

test('evaluate_at is the smallest larger total with another verdict: by looking at every total', () => {
  const small = fc.record({ limit: fc.bigInt(0n, 60n), used: fc.bigInt(0n, 150n) })
  fc.assert(
    fc.property(small, policies, ({ used, limit }, policy) => {
      const present = withoutOutlook(decide({ used, limit }, policy))
      // No threshold lies beyond 1000 % of the limit.
      const totals = Array.from({ length: Number(limit * 10n) + 2 }, (_, index) => used + BigInt(index) + 1n)
      const next = totals.find((total) => {
        const later = withoutOutlook(decide({ used: total, limit }, policy))
        return JSON.stringify(later) !== JSON.stringify(present)
      })
      expect(decide({ used, limit }, policy).evaluate_at).toBe(next ?? null)
    }),
  )
})

test('evaluate_at is exact for limits of any size: the verdict holds one below it and differs at it', () => {
  fc.assert(
    fc.property(positions, policies, ({ used, limit }, policy) => {
      const present = decide({ used, limit }, policy)
      const at = present.evaluate_at
      if (at === null) {
        expect(withoutOutlook(decide({ used: 2n ** 80n, limit }, policy))).toEqual(withoutOutlook(present))
        return
      }
      expect(at).toBeGreaterThan(used)
      expect(decide({ used: at - 1n, limit }, policy)).toEqual(present)
      expect(withoutOutlook(decide({ used: at, limit }, policy))).not.toEqual(withoutOutlook(present))
    }),
  )
})

test('deciding twice gives the same, and the order of the steps does not matter', () => {
  const shuffled = policies.chain((policy) =>
    fc
      .shuffledSubarray(policy.steps, { minLength: policy.steps.length })
      .map((steps) => ({ policy, other: { ...policy, steps } })),
  )
  fc.assert(
    fc.property(positions, shuffled, (position, { policy, other }) => {
      expect(decide(position, policy)).toEqual(decide(position, policy))
      expect(decide(position, other)).toEqual(decide(position, policy))
    }),
  )
})

test('the reduction holds exactly from downgraded on', () => {
  fc.assert(
    fc.property(positions, policies, (position, policy) => {
      const { state, reduced_config } = decide(position, policy)
      const isReduced = rank(state) >= rank('downgraded')
      expect(reduced_config).toEqual(isReduced ? policy.downgrade_to : null)
    }),
  )
})
