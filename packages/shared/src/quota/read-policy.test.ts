import { expect, test, vi } from 'vitest'
import { DEFAULT_QUOTA_POLICY, type QuotaPolicy } from '../contracts/index.ts'
import { readPolicy } from './read-policy.ts'

test('an own ladder holds, no ladder means the default', () => {
  const onUnreadable = vi.fn()
  const own: QuotaPolicy = { steps: [{ at_percent: 100, state: 'revoked' }], downgrade_to: {} }
  expect(readPolicy(own, onUnreadable)).toEqual(own)
  expect(readPolicy(null, onUnreadable)).toEqual(DEFAULT_QUOTA_POLICY)
  expect(onUnreadable).not.toHaveBeenCalled()
})

test.each([{}, [], 'x', { steps: [{ at_percent: -1, state: 'revoked' }], downgrade_to: {} }])(
  'an unreadable ladder is reported and does not lift the limit: %j',
  (stored) => {
    const onUnreadable = vi.fn()
    expect(readPolicy(stored, onUnreadable)).toEqual(DEFAULT_QUOTA_POLICY)
    expect(onUnreadable).toHaveBeenCalledOnce()
  },
)
