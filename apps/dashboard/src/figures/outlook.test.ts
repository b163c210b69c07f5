import { expect, it } from 'vitest'
import type { QuotaRow, StepRow } from '../data/reports.ts'
import { nextStep, project, tellReason } from './outlook.ts'

const position: QuotaRow = {
  ...{ organization_id: 'o', name: 'O', plan_type: 'starter', time_zone: 'UTC', state: 'warned', reason: null },
  ...{ period_start: '2026-11-01T00:00:00Z', period_end: '2026-12-01T00:00:00Z', decision_id: null, fresh_at: null },
  ...{ limit_tokens: '1000000', granted_tokens: '0', used_tokens: '600000', reserved_tokens: '0', as_of: '' },
  ...{ policy: null, policy_version: '0', user_default: null, cost_usd: '40', mode: 'enforce', manual_act: null },
  steps: [step({ at_tokens: '500000', state: 'warned' }), step({ at_tokens: '1000000', state: 'downgraded' })],
}

function step(part: Partial<StepRow>): StepRow {
  return { at_tokens: null, at_usd: null, state: 'revoked', mode: 'hard', grace_seconds: 0, ...part }
}

it('half of the period used up means twice as much at its end; nothing is said in its first hours', () => {
  expect(project(position, Date.parse('2026-11-16T00:00:00Z'))).toBe(1_200_000)
  expect(project(position, Date.parse('2026-11-01T06:00:00Z'))).toBeNull()
})

it('the next step is the lowest that is not reached yet, and then only the renewal is left', () => {
  expect(nextStep(position)).toBe('At 1M LLM tokens it becomes downgraded. The period ends Dec 1, 2026, 12:00 AM.')
  expect(nextStep({ ...position, used_tokens: '1000000', state: 'downgraded' })).toMatch(
    /^Full access comes back Dec 1/,
  )
  expect(nextStep({ ...position, used_tokens: '1000000', state: 'active' })).toMatch(/^The period ends/)
})

it('who is warned already is warned again', () => {
  const warned = { ...position, steps: [step({ at_tokens: '800000', state: 'warned' })] }
  expect(nextStep(warned)).toContain('At 800K LLM tokens it is warned again.')
  expect(nextStep({ ...warned, state: 'active' })).toContain('At 800K LLM tokens it becomes warned.')
})

it('the nearest step in dollars is told beside that in LLM tokens, compared with the cost to the last digit', () => {
  const steps = [...position.steps, step({ at_usd: '40' }), step({ at_usd: '40.000000000001', grace_seconds: 60 })]
  expect(nextStep({ ...position, steps })).toContain('At $40.00 of cost it becomes revoked after 60 s.')
  expect(nextStep({ ...position, steps, cost_usd: '40.000000000001' })).not.toContain('of cost')
})

it('a step that only is recorded never is told to refuse: soft, observed, exempt', () => {
  const soft = { ...position, steps: [step({ at_tokens: '1000000', mode: 'soft' })] }
  const recorded = 'At 1M LLM tokens it would become revoked, which is only recorded.'
  expect(nextStep(soft)).toContain(recorded)
  const hard = { ...position, steps: [step({ at_tokens: '1000000' })] }
  expect(nextStep({ ...hard, mode: 'observe' })).toMatch(/^Its limits are observed alone: nothing is refused\. At/)
  expect(nextStep({ ...hard, mode: 'observe' })).toContain(recorded)
  expect(nextStep({ ...hard, manual_act: { act: 'exempt', until: '2026-11-20T00:00:00Z' } })).toContain(
    `${recorded} It was exempted by hand, until Nov 20`,
  )
})

it('what was ordered by hand is not said to end with the period', () => {
  const revoked = { ...position, state: 'revoked' as const, manual_act: { act: 'revoke' as const, until: null } }
  expect(nextStep(revoked)).toBe('It was revoked by hand, until that is taken back.')
})

it.each([
  ['max_tokens_120_percent', '120 % of the limit was reached'],
  ['max_cost_usd_at_25.5', '$25.50 of cost was reached'],
  ['max_tokens_at_5000000', '5,000,000 LLM tokens were reached'],
  ['within_limit', 'it is within its limits'],
  ['period_over', 'the period was over'],
  ['manual_revoke', 'revoked by hand'],
  ['ordered_exempt', 'ordered by hand: exempt'],
  ['of a later release', 'of a later release'],
])('the reason %s reads: %s', (reason, text) => {
  expect(tellReason(reason)).toBe(text)
})
