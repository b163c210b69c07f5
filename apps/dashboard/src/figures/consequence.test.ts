import { expect, it } from 'vitest'
import { type Limited, tellConsequence, tellConsequences } from './consequence.ts'

const limited: Limited = {
  ...{ name: 'Acme', used: '12100000', granted: '0', state: 'active', policy: null, isWithheld: false },
}
const used = 'Acme has used 12.1M LLM tokens already'

it.each([
  [null, ''],
  [24_200_000, ''],
  [12_100_001, ''],
  [12_100_000, `${used}: by the policy access will be downgraded at once.`],
  [10_083_334, `${used}: by the policy access will be downgraded at once.`],
  [10_083_333, `${used}: by the policy access will be revoked at once.`],
  [0, `${used}: by the policy access will be revoked at once.`],
])('a limit of %s under the default ladder: %s', (limit, text) => {
  expect(tellConsequence(limit, limited)).toBe(text)
})

it('grants lie on top of the limit, and of steps in LLM tokens', () => {
  expect(tellConsequence(10_000_000, { ...limited, granted: '5000000' })).toBe('')
  const policy = {
    steps: [{ at_tokens: 12_000_000, state: 'revoked' as const, grace_seconds: 3_600 }],
    downgrade_to: {},
  }
  expect(tellConsequence(90_000_000, { ...limited, policy })).toBe(
    `${used}: by the policy access will be revoked after 3,600 s.`,
  )
  expect(tellConsequence(90_000_000, { ...limited, policy, granted: '200000' })).toBe('')
  expect(tellConsequence(1, { ...limited, policy, granted: '200000' })).toBe(`${used}, which is more.`)
})

it('what only is recorded does not refuse, and what is refused already stays so', () => {
  const policy = { steps: [{ at_percent: 100, state: 'revoked' as const, mode: 'soft' as const }], downgrade_to: {} }
  expect(tellConsequence(1, { ...limited, policy })).toBe(`${used}, which is more.`)
  expect(tellConsequence(1, { ...limited, isWithheld: true })).toBe(
    `${used}: by the policy access would be revoked at once, which is only recorded.`,
  )
  expect(tellConsequence(1, { ...limited, state: 'revoked' })).toBe(`${used}: by the policy access stays revoked.`)
})

it('of many users the first ones are named', () => {
  const users = ['A', 'B', 'C', 'D', 'E'].map((name) => ({ ...limited, name }))
  expect(tellConsequences(1, users)).toMatch(
    /^A has used .* B has used .* C has used .*at once\. The like holds for 2 more\.$/,
  )
  expect(tellConsequences(90_000_000, users)).toBe('')
})
