import type { RpcRow } from '@tollgate/shared/store'
import { expect, test } from 'vitest'
import { judgePosition } from './read-position.ts'

type Row = RpcRow<'load_quota_position'>

const position = (change: Partial<Row>): Row => ({
  organization_id: 'o',
  ...{ time_zone: 'UTC', period_start: '2026-11-01T00:00:00Z', period_end: '2026-12-01T00:00:00Z' },
  ...{
    limit_tokens: '1000',
    base_limit_tokens: '1000',
    granted_tokens: '0',
    used_tokens: '1300',
    reserved_tokens: '0',
  },
  ...{ policy: null, policy_version: '1', reduced_configs: {}, mode: 'enforce', manual_act: null, inputs_key: 'x' },
  ...{ grants_due: false, next_expiry: null, cost_usd: '0', unpriced_events: '0', counted_at: null },
  ...{ state: 'active', version: '0', revision: null, reason: null, decision_id: null, state_period_start: null },
  ...{ reduced_config: null, observed: null, reached: {}, has_user_limits: false, users_to_enroll: 'none' as const },
  as_of: '2026-11-20T00:00:00Z',
  ...change,
})
const judge = (change: Partial<Row>) => judgePosition(position(change), expect.fail)
const revoke = (until: string | null) => ({
  manual_act: { act: 'revoke' as const, until, used_tokens: '0', cost_usd: '0', actor: 'ada', decision_id: 'd' },
})
const costly = (max_cost_usd: string) => ({
  limit_tokens: null,
  base_limit_tokens: null,
  cost_usd: '9',
  policy: {
    steps: [{ at_percent: 100, state: 'revoked' as const }],
    downgrade_to: {},
    max_cost_usd,
  },
})

test.each([
  ['used up', {}, true],
  ['downgraded', { used_tokens: '1000' }, true],
  ['revoked by hand for a while that ends within the period', revoke('2026-11-25T00:00:00Z'), true],
  ['paid for with all that may be spent', costly('5'), true],
  ['revoked by hand', revoke(null), false],
  ['revoked by hand beyond the period', revoke('2026-12-01T00:00:01Z'), false],
  ['allowed nothing', { limit_tokens: '0', base_limit_tokens: '0' }, false],
  ['allowed nothing but a grant', { limit_tokens: '1000', base_limit_tokens: '0', granted_tokens: '1000' }, false],
  ['allowed to spend nothing', costly('0'), false],
])('what is taken from who is %s lapses with the period or not', (_, change, lapses) => {
  const verdict = judge(change)
  expect(['downgraded', 'revoked']).toContain(verdict.state)
  expect(verdict.lapses).toBe(lapses)
})

test('where nothing is taken away nothing lapses', () => {
  expect(judge({ used_tokens: '900' })).toMatchObject({ state: 'warned', lapses: false })
})
