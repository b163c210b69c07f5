import { expect, it } from 'vitest'
import type { DecisionRow, StatementRow, UsageRow } from '../data/reports.ts'
import { statementToFocus, usageToFocus } from './focus.ts'
import { toDecisionLine, toUsageLine } from './list-lines.ts'
import { toCsv, toJson } from './tables.ts'

const row: UsageRow = {
  ...{ bucket: '2026-12-31', model: '=HYPERLINK("x")', user_id: null, user_name: 'a, "b"', token_kind: null },
  ...{ tokens_used: '12', input_tokens: '10', output_tokens: '2', cost_usd: null, charge_usd: null },
  ...{ message_count: '-1', event_count: '1', unpriced_events: '1' },
}
const context = {
  account: { id: 'o', name: 'O' },
  timeZone: 'Europe/Berlin',
  period: { start: '2026-11-30T23:00:00Z', end: '2026-12-31T23:00:00Z' },
}

it('a cell that a spreadsheet would run is text, a negative number is not touched', () => {
  const [, line] = toCsv([{ ...row }]).split('\r\n')
  expect(line).toBe(`2026-12-31,"'=HYPERLINK(""x"")",,"a, ""b""",,12,10,2,,,-1,1,1`)
})

it('usage has the columns of the table in their order; a kind of LLM token has no cost and no messages', () => {
  expect(Object.keys(toUsageLine(row, 'model')).slice(0, 6)).toEqual([
    ...['bucket', 'model', 'tokens_used', 'cost_usd', 'unpriced_events', 'message_count'],
  ])
  expect(Object.keys(toUsageLine(row, 'user')).slice(0, 4)).toEqual(['bucket', 'user_name', 'user_id', 'tokens_used'])
  expect(toCsv([toUsageLine({ ...row, token_kind: 'input' }, 'token_kind')])).toBe(
    'bucket,token_kind,tokens_used\r\n2026-12-31,input,12\r\n',
  )
})

it('a column that only a later line has is there for all', () => {
  expect(toCsv([{ a: '1' }, { a: '2', b: 3 }])).toBe('a,b\r\n1,\r\n2,3\r\n')
})

it('what has no price is empty, not zero; a day is the organization’s own, billed in its period', () => {
  expect(usageToFocus([row, { ...row, bucket: '2026-10' }], context)).toMatchObject([
    {
      ...{ BilledCost: null, EffectiveCost: null, ConsumedQuantity: '12', ConsumedUnit: 'Tokens' },
      ...{ ChargePeriodStart: '2026-12-30T23:00:00Z', ChargePeriodEnd: '2026-12-31T23:00:00Z' },
      ...{ BillingPeriodStart: '2026-11-30T23:00:00Z', BillingPeriodEnd: '2026-12-31T23:00:00Z' },
    },
    {
      ...{ ChargePeriodStart: '2026-09-30T22:00:00Z', ChargePeriodEnd: '2026-10-31T23:00:00Z' },
      ...{ BillingPeriodStart: null, BillingPeriodEnd: null },
    },
  ])
  expect(JSON.parse(toJson([row]))).toEqual([row])
})

it('what a statement took over from a closed period is a correction of that one', () => {
  const figures = { ...row, tokens_used: '5', cost_usd: '2', charge_usd: '3', input_tokens: '4', output_tokens: '1' }
  const statement: StatementRow = {
    ...{ organization_id: 'o', name: 'O', domain: 'o', plan_type: 'starter', time_zone: 'UTC', closed_at: null },
    ...{ first_day: '2026-11-01', last_day: '2026-11-30', state: 'open', users: [], later: [], as_of: '' },
    total: figures,
    models: [{ ...figures, model: 'a' }],
    earlier: [{ ...figures, model: 'b', period_start: '2026-10-01T00:00:00+00:00' }],
  }
  const billed = { BillingPeriodStart: '2026-11-01T00:00:00Z', BillingPeriodEnd: '2026-12-01T00:00:00Z' }
  expect(statementToFocus(statement, new Map([['2026-10-01', '2026-10-31']]))).toMatchObject([
    { ...billed, SkuId: 'a', ChargeClass: null, ChargePeriodStart: '2026-11-01T00:00:00Z', BilledCost: '3' },
    {
      ...{ ...billed, SkuId: 'b', ChargeClass: 'Correction', x_ProviderCost: '2' },
      ...{ ChargePeriodStart: '2026-10-01T00:00:00Z', ChargePeriodEnd: '2026-11-01T00:00:00Z' },
    },
  ])
})

it('a decision’s line says what it was decided from', () => {
  const decision: DecisionRow = {
    ...{
      id: 'd',
      decided_at: 't',
      effective_at: null,
      kind: 'change',
      user_id: null,
      user_name: null,
      from_state: 'active',
      cursor: '1',
    },
    ...{ to_state: 'warned', reason: 'r', actor: 'quota-enforcer', actor_name: null, inputs: { used_tokens: '7' } },
    withheld: { state: 'revoked', reason: 'r', because: 'soft', until: null },
  }
  expect(toDecisionLine(decision)).toMatchObject({
    input_used_tokens: '7',
    withheld_state: 'revoked',
    to_state: 'warned',
  })
  expect(toDecisionLine(decision)).not.toHaveProperty('cursor')
})
