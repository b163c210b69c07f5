import { expect, it } from 'vitest'
import { toCsv, toFocus, toJson } from './usage-exports.ts'

const row = {
  ...{ bucket: '2026-12-31', model: '=HYPERLINK("x")', user_id: null, user_name: 'a, "b"', token_kind: null },
  ...{ tokens_used: '12', input_tokens: '10', output_tokens: '2', cost_usd: null, charge_usd: null },
  ...{ message_count: '-1', event_count: '1', unpriced_events: '1' },
}

it('a cell that a spreadsheet would run is text, a negative number is not touched', () => {
  const [, line] = toCsv([row]).split('\r\n')
  expect(line).toBe(`2026-12-31,"'=HYPERLINK(""x"")",,"a, ""b""",,12,10,2,,,-1,1,1`)
})

it('what has no price is empty, not zero', () => {
  expect(toFocus([row], { organizationId: 'o', organizationName: 'O' })[0]).toMatchObject({
    BilledCost: null,
    ChargePeriodStart: '2026-12-31T00:00:00Z',
    ChargePeriodEnd: '2027-01-01T00:00:00Z',
    ConsumedQuantity: '12',
    ConsumedUnit: 'Tokens',
  })
  expect(JSON.parse(toJson([row]))).toEqual([row])
})
