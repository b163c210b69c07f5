import type { AcceptedEvent, PublishedPosition } from '@tollgate/shared/contracts'
import { beforeEach, describe, expect, test } from 'vitest'
import { type IsUrgent, judgeUrgency } from './judge-urgency.ts'

const ORGANIZATION = '0b5d7f1c-0000-4000-8000-000000000001'

let position: PublishedPosition | undefined
let nowMs: number
let isUrgent: IsUrgent

beforeEach(() => {
  nowMs = 0
  publish({ used_tokens: '40000', evaluate_at: '50000' })
  isUrgent = judgeUrgency(
    (id) => (id === ORGANIZATION ? position : undefined),
    () => nowMs,
  )
})

function publish(figures: Pick<PublishedPosition, 'used_tokens' | 'evaluate_at'>): void {
  const period = { period_start: '2026-11-01T00:00:00Z', period_end: '2026-12-01T00:00:00Z' }
  position = {
    organization_id: ORGANIZATION,
    limit_tokens: '100000',
    reserved_tokens: '0',
    as_of_ms: 0,
    ...period,
    ...figures,
  }
}

const usage = (tokens: number, change: object = {}) =>
  ({
    ...{ type: 'usage.recorded', organization_id: ORGANIZATION, input_tokens: tokens, output_tokens: 0 },
    ...change,
  }) as AcceptedEvent

describe('an event is urgent', () => {
  test('when it takes its organization to the next decision, input and output together', () => {
    expect(isUrgent(usage(9_999))).toBe(false)
    publish({ used_tokens: '40000', evaluate_at: '50000' })
    expect(isUrgent(usage(4_000, { output_tokens: 6_000 }))).toBe(true)
  })

  test('when twice what was accepted since the position does that, until there is a newer one', () => {
    const judged = Array.from({ length: 6 }, () => isUrgent(usage(2_000)))
    expect(judged).toEqual([false, false, true, true, true, true])
    publish({ used_tokens: '41000', evaluate_at: '50000' })
    expect(isUrgent(usage(2_000))).toBe(false)
  })

  test('for a second at most with the same position: where nobody publishes, nobody decides either', () => {
    expect(isUrgent(usage(10_000))).toBe(true)
    nowMs = 999
    expect(isUrgent(usage(1))).toBe(true)
    nowMs = 1_000
    expect(isUrgent(usage(1))).toBe(false)
  })
})

describe('no event is urgent', () => {
  test('of an organization that is unknown, or that no total would change anything for', () => {
    expect(isUrgent(usage(1e12, { organization_id: 'another' }))).toBe(false)
    publish({ used_tokens: '40000', evaluate_at: null })
    expect(isUrgent(usage(1e12))).toBe(false)
  })

  test('once the total is reached: the enforcer has been woken', () => {
    publish({ used_tokens: '50000', evaluate_at: '50000' })
    expect(isUrgent(usage(1))).toBe(false)
  })

  test('that is no usage', () => {
    for (const type of ['session.started', 'usage.corrected']) expect(isUrgent(usage(1e12, { type }))).toBe(false)
  })
})
