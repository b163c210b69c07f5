import { expect, it } from 'vitest'
import type { DecisionRow } from '../data/reports.ts'
import { tellInputs } from './decision-inputs.ts'

const decision: DecisionRow = {
  ...{
    id: 'd-1',
    decided_at: '2026-11-20T10:00:01Z',
    effective_at: null,
    kind: 'change',
    user_id: null,
    user_name: null,
    cursor: '1',
  },
  ...{ from_state: 'warned', to_state: 'revoked', reason: 'max_tokens_120_percent', actor: 'quota-enforcer' },
  ...{ actor_name: null, withheld: null },
  inputs: {
    ...{ limit_tokens: '1000000', base_limit_tokens: '900000', granted_tokens: '100000', used_tokens: '1200001' },
    ...{ reserved_tokens: '5', cost_usd: '1.250000000001', unpriced_events: '3', policy_version: '7', percent: 120 },
    ...{ mode: 'enforce', trigger: 'usage', as_of: '2026-11-20T10:00:00.5Z', counted_at: '2026-11-20T10:00:00Z' },
    ...{ period_start: '2026-11-01T00:00:00Z', of_a_later_release: { a: 1 } },
  },
}

it('a decision says all that it was decided from, with the age of the figures', () => {
  expect(Object.fromEntries(tellInputs(decision, 'UTC'))).toEqual({
    ...{ 'LLM tokens of the ledger': '1,200,001', Limit: '1,000,000', 'Used of the limit': '120 %' },
    ...{ 'Limit without grants': '900,000', Granted: '100,000', Reserved: '5', Cost: '$1.250000000001' },
    ...{ 'Calls without a price': '3', 'Policy version': '7', Mode: 'enforce', 'Looked at because of': 'usage' },
    ...{ 'Period from': 'Nov 1, 2026, 12:00:00 AM', 'Figures read': 'Nov 20, 2026, 10:00:00 AM' },
    ...{ 'Newest usage counted': 'Nov 20, 2026, 10:00:00 AM', 'Age of the figures': '0.5 sec' },
    ...{ of_a_later_release: '{"a":1}', 'Reason on record': 'max_tokens_120_percent', Decision: 'd-1' },
  })
})

it('what has no limit says so, and what had no effect says why', () => {
  const withheld = { state: 'revoked', reason: 'max_tokens_120_percent', because: 'soft', until: null }
  const over = { inputs: { limit_tokens: null }, withheld, effective_at: '2026-11-01T00:00:00Z' }
  const told = Object.fromEntries(tellInputs({ ...decision, ...over }, 'UTC'))
  expect(told).toMatchObject({
    Limit: 'none',
    'Over since': 'Nov 1, 2026, 12:00:00 AM',
    'Not put into effect': 'revoked (max_tokens_120_percent), because of soft',
  })
})
