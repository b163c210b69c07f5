import { expect, test } from 'vitest'
import { sampleEnforcement } from '../testing/claims.ts'
import { explainRefusal } from './explain-refusal.ts'

const endOf = (period_end: string) =>
  explainRefusal({
    reason: 'organization_revoked',
    enforcement: sampleEnforcement({ state: 'revoked', period_end }),
  }).extensions.period_end

test('the end of the period is spelled one way, wherever it comes from; what is no time is shown as it is', () => {
  expect(endOf('2026-12-01T00:00:00+00:00')).toBe('2026-12-01T00:00:00.000Z')
  expect(endOf('2026-12-01T00:00:00.000Z')).toBe('2026-12-01T00:00:00.000Z')
  expect(endOf('infinity')).toBe('infinity')
})
