import { DEFAULT_QUOTA_POLICY, type QuotaPolicy } from '@tollgate/shared/contracts'
import { decide, toPicodollars } from '@tollgate/shared/quota'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { tellPolicyConsequence } from './policy-consequence.ts'
import type { Standing } from './standing.ts'

const standing: Standing = {
  ...{ name: 'Acme', used_tokens: '12100000', limit_tokens: '10000000', granted_tokens: '0', cost_usd: '400' },
  ...{ state: 'downgraded', mode: 'enforce', manual_act: null },
}
const policy = (...steps: QuotaPolicy['steps']): QuotaPolicy => ({ steps, downgrade_to: {} })
const used = 'With 12.1M LLM tokens used Acme'

it.each([
  ['revoked', DEFAULT_QUOTA_POLICY, {}, `${used} becomes revoked at once.`],
  ['the same', DEFAULT_QUOTA_POLICY, { used_tokens: '11000000' }, 'With 11M LLM tokens used Acme stays downgraded.'],
  ['let in', policy({ at_percent: 130, state: 'revoked' }), {}, `${used} has full access again at once.`],
  ['warned', policy({ at_percent: 90, state: 'warned' }), {}, `${used} becomes warned at once.`],
  [
    'revoked after a grace',
    policy({ at_percent: 100, state: 'downgraded' }, { at_percent: 120, state: 'revoked', grace_seconds: 3_600 }),
    {},
    `${used} stays downgraded. After 3,600 s it becomes revoked.`,
  ],
  [
    'soft steps',
    policy({ at_percent: 120, state: 'revoked', mode: 'soft' }),
    {},
    `${used} becomes warned at once. It would be revoked, which is only recorded.`,
  ],
  [
    'observed',
    DEFAULT_QUOTA_POLICY,
    { mode: 'observe' as const },
    `${used} becomes warned at once. It would be revoked, which is only recorded.`,
  ],
  [
    'exempt',
    DEFAULT_QUOTA_POLICY,
    { manual_act: { act: 'exempt' as const, until: null } },
    `It is exempt: no step takes anything away. ${used} becomes warned at once. It would be revoked, which is only recorded.`,
  ],
  [
    'restored',
    DEFAULT_QUOTA_POLICY,
    { manual_act: { act: 'restore' as const, until: null }, state: 'warned' as const },
    'It was restored by hand: steps that had been reached by then have no effect. With 12.1M LLM tokens used the policy alone would make Acme revoked.',
  ],
  [
    'revoked by hand',
    policy(),
    { manual_act: { act: 'revoke' as const, until: null }, state: 'revoked' as const },
    `It was revoked by hand, which holds whatever the policy says. ${used} stays revoked.`,
  ],
])('%s', (_, next, change, text) => {
  expect(tellPolicyConsequence(next, { ...standing, ...change })).toBe(text)
})

const amount = fc.constantFrom(0, 5, 10, 20)
const step = fc.record({
  at: fc.constantFrom('at_percent' as const, 'at_tokens' as const, 'at_usd' as const),
  amount: fc.constantFrom(5, 10, 50, 100, 150),
  state: fc.constantFrom('warned' as const, 'downgraded' as const, 'revoked' as const),
  mode: fc.constantFrom('hard' as const, 'soft' as const),
  grace_seconds: fc.constantFrom(undefined, 60),
})

it('whatever the policy, the state is the one that the enforcer decides on', () => {
  const random = fc.record({
    steps: fc.array(step, { maxLength: 4 }),
    max_cost_usd: fc.constantFrom(undefined, null, '10'),
    ...{ used: amount, cost: amount, granted: amount, limit: fc.option(amount) },
    mode: fc.constantFrom('enforce' as const, 'observe' as const),
  })
  fc.assert(
    fc.property(random, ({ steps, max_cost_usd, used, cost, granted, limit, mode }) => {
      const next: QuotaPolicy = {
        steps: steps.map(({ at, amount, grace_seconds, ...rest }) => ({
          ...(at === 'at_usd'
            ? { at_usd: String(amount) }
            : at === 'at_tokens'
              ? { at_tokens: amount }
              : { at_percent: amount }),
          ...rest,
          ...(grace_seconds === undefined ? {} : { grace_seconds }),
        })),
        downgrade_to: {},
        ...(max_cost_usd === undefined ? {} : { max_cost_usd }),
      }
      const { state } = decide(
        {
          ...{ used: BigInt(used), cost: toPicodollars(String(cost)), granted: BigInt(granted), at: 1 },
          ...{ limit: limit === null ? null : BigInt(limit + granted), observe: mode === 'observe' },
        },
        next,
      )
      const told = tellPolicyConsequence(next, {
        ...{ name: 'It', used_tokens: String(used), cost_usd: String(cost), granted_tokens: String(granted) },
        ...{ limit_tokens: limit === null ? null : String(limit), state, mode, manual_act: null },
      })
      expect(told).toContain(`It stays ${state}.`)
    }),
    { numRuns: 500 },
  )
})
