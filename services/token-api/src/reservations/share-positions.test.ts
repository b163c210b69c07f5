import { expect, test, vi } from 'vitest'
import { sharePositions } from './share-positions.ts'

const position = (organization_id: string) => ({
  organization_id,
  limit_tokens: '1000',
  used_tokens: '0',
  reserved_tokens: '3',
  period_start: '2026-11-01T00:00:00+00:00',
  period_end: '2026-12-01T00:00:00+00:00',
  as_of: '2026-11-23T10:00:00+00:00',
})
const NONE = {
  ...{ limit_tokens: null, used_tokens: null, reserved_tokens: null },
  ...{ period_start: null, period_end: null, as_of: null },
}
const held = (i: number) => ({
  ...{ i, outcome: 'held' as const, id: `hold-${i}`, total_tokens: '1', state: 'held' as const },
  ...{ expires_at: '2026-11-23T10:10:00+00:00', remaining_tokens: String(999 - i), decision_id: null },
})
const unheld = (i: number, outcome: 'conflict' | 'unknown_organization', organization_id: string) => ({
  ...{ i, outcome, organization_id, remaining_tokens: null, decision_id: null },
})

test('rows of one organization share where it stands, whichever row tells it, and it is told once', () => {
  const onPosition = vi.fn()
  const rows = sharePositions(
    [
      { ...held(2), ...NONE, organization_id: 'a' },
      { ...unheld(1, 'conflict', 'a'), ...position('a') },
      { ...held(0), ...position('b') },
      { ...held(3), ...NONE, organization_id: 'a' },
      { ...unheld(4, 'unknown_organization', 'c'), ...NONE },
    ],
    onPosition,
  )
  expect(onPosition.mock.calls).toEqual([[position('a')], [position('b')]])
  const shown = rows.map((row) => ('position' in row ? row.position : undefined))
  expect(shown).toEqual([position('a'), undefined, position('b'), position('a'), undefined])
  expect(shown[3]).toBe(shown[0])
  expect(rows.map((row) => row.remaining_tokens)).toEqual(['997', null, '999', '996', null])
})

test('a hold of an organization of which nothing is told is a fault', () => {
  expect(() => sharePositions([{ ...held(0), ...NONE, organization_id: 'a' }], () => undefined)).toThrow(RangeError)
})
