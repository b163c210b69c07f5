import { expect, it } from 'vitest'
import type { QuotaRow } from '../data/reports.ts'
import { nextStep, project } from './outlook.ts'

const position: QuotaRow = {
  ...{ organization_id: 'o', name: 'O', plan_type: 'starter', time_zone: 'UTC', state: 'warned', reason: null },
  ...{ period_start: '2026-11-01T00:00:00Z', period_end: '2026-12-01T00:00:00Z', decision_id: null, fresh_at: null },
  ...{ limit_tokens: '1000000', granted_tokens: '0', used_tokens: '600000', reserved_tokens: '0', as_of: '' },
  ...{ policy: null, policy_version: '0' },
  steps: [
    { at_tokens: '500000', state: 'warned' },
    { at_tokens: '1000000', state: 'downgraded' },
  ],
}

it('half of the period used up means twice as much at its end; nothing is said in its first hours', () => {
  expect(project(position, Date.parse('2026-11-16T00:00:00Z'))).toBe(1_200_000)
  expect(project(position, Date.parse('2026-11-01T06:00:00Z'))).toBeNull()
})

it('the next step is the lowest that is not reached yet, and then only the renewal is left', () => {
  expect(nextStep(position)).toMatch(/^At 1M LLM tokens it becomes downgraded\. Full access comes back Dec 1, 2026/)
  expect(nextStep({ ...position, used_tokens: '1000000' })).toMatch(/^Full access comes back/)
  expect(nextStep({ ...position, used_tokens: '1000000', state: 'active' })).toMatch(/^The period ends/)
})
