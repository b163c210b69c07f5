import type { QuotaPolicy } from '@tollgate/shared/contracts'
import type { QuotaPosition } from '@tollgate/shared/quota/for-pages'
import { expect, it } from 'vitest'
import { type Limited, tellConsequence, tellConsequences } from './consequence.ts'

const limited: Limited = {
  ...{ name: 'Acme', state: 'active', policy: null },
  position: { used: 12_100_000n, limit: null },
}
const at = (position: Partial<QuotaPosition>, more: Partial<Limited> = {}): Limited => ({
  ...{ ...limited, ...more },
  position: { ...limited.position, ...position },
})
const used = 'Acme has used 12.1M LLM tokens already'
const policyOf = (...steps: QuotaPolicy['steps']): QuotaPolicy => ({ steps, downgrade_to: {} })

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
  expect(tellConsequence(10_000_000, at({ granted: 5_000_000n }))).toBe('')
  const policy = policyOf({ at_tokens: 12_000_000, state: 'revoked', grace_seconds: 3_600 })
  expect(tellConsequence(90_000_000, at({}, { policy }))).toBe(
    `${used}: by the policy access will be revoked after 3,600 s.`,
  )
  expect(tellConsequence(90_000_000, at({ granted: 200_000n }, { policy }))).toBe('')
  expect(tellConsequence(1, at({ granted: 200_000n }, { policy }))).toBe(`${used}, which is more.`)
})

it('what only is recorded does not refuse, and what is refused already stays so', () => {
  const recorded = `${used}: by the policy access would be revoked at once, which is only recorded.`
  const policy = policyOf({ at_percent: 100, state: 'revoked', mode: 'soft' })
  expect(tellConsequence(1, at({}, { policy }))).toBe(recorded)
  expect(tellConsequence(1, at({ observe: true }))).toBe(recorded)
  expect(tellConsequence(1, at({ manualAct: { act: 'exempt', until: null, used: 0n, cost: 0n } }))).toBe(recorded)
  expect(tellConsequence(1, at({}, { state: 'revoked' }))).toBe(`${used}: by the policy access stays revoked.`)
})

it('what holds for another reason goes on to hold: a step in dollars, an order', () => {
  const policy = policyOf({ at_usd: '100', state: 'revoked' })
  const spent = at({ cost: 100_000_000_000_000n }, { policy, state: 'revoked' })
  expect(tellConsequence(90_000_000, spent)).toBe(`${used}: by the policy access stays revoked.`)
  const manualAct = { act: 'revoke' as const, until: null, used: 0n, cost: 0n }
  expect(tellConsequence(90_000_000, at({ manualAct }, { state: 'revoked' }))).toContain('stays revoked')
})

it('steps of one ladder come one after the other, as their graces end', () => {
  const policy = policyOf(
    { at_percent: 100, state: 'downgraded' },
    { at_percent: 100, state: 'revoked', grace_seconds: 60 },
  )
  expect(tellConsequence(12_000_000, at({}, { policy }))).toBe(
    `${used}: by the policy access will be downgraded at once, and will be revoked after 60 s.`,
  )
})

it('of many users the first ones are named', () => {
  const users = ['A', 'B', 'C', 'D', 'E'].map((name) => ({ ...limited, name }))
  expect(tellConsequences(1, users)).toMatch(
    /^A has used .* B has used .* C has used .*at once\. The like holds for 2 more\.$/,
  )
  expect(tellConsequences(90_000_000, users)).toBe('')
})
