import { describe, expect, test } from 'vitest'
import { type Position, setRateLimit } from './rate-limit-headers.ts'

const NOW = Date.parse('2026-11-20T00:00:00Z')
const POSITION: Position = {
  limit_tokens: '100000',
  used_tokens: '30000',
  reserved_tokens: '5000',
  period_start: '2026-11-01T00:00:00Z',
  period_end: '2026-12-01T00:00:00Z',
}

function headersOf(position: Position | undefined, present: Record<string, string> = {}, now = NOW) {
  const headers: Record<string, string> = { ...present }
  const header = (name: string, value: string) => {
    headers[name] = value
  }
  setRateLimit({ header, getHeader: (name) => headers[name] }, position, now)
  return headers
}

describe('RateLimit headers', () => {
  test('say quota, window, what remains beside holds, and when it begins anew', () => {
    expect(headersOf(POSITION)).toEqual({
      'ratelimit-policy': `"monthly-tokens";q=100000;w=${30 * 86_400}`,
      ratelimit: `"monthly-tokens";r=65000;t=${11 * 86_400}`,
    })
  })

  test('count down, and end with the period, while the position stands', () => {
    const position = { ...POSITION }
    const end = Date.parse(position.period_end)
    const resets = [NOW, NOW + 1_000, end - 1, end].map((now) => headersOf(position, {}, now).ratelimit)
    const remaining = '"monthly-tokens";r=65000;t='
    expect(resets).toEqual([`${remaining}${11 * 86_400}`, `${remaining}${11 * 86_400 - 1}`, `${remaining}1`, undefined])
  })

  test('stand beside the limit of the caller', () => {
    const present = { 'ratelimit-policy': '"servers";q=12;w=60', ratelimit: '"servers";r=11;t=5' }
    const { ratelimit, 'ratelimit-policy': policy } = headersOf(POSITION, present)
    expect(policy).toBe(`"servers";q=12;w=60, "monthly-tokens";q=100000;w=${30 * 86_400}`)
    expect(ratelimit).toBe(`"servers";r=11;t=5, "monthly-tokens";r=65000;t=${11 * 86_400}`)
  })

  test('never say less than nothing, nor more than fifteen digits', () => {
    expect(headersOf({ ...POSITION, used_tokens: '200000' }).ratelimit).toMatch(/;r=0;/)
    expect(headersOf({ ...POSITION, limit_tokens: String(2 ** 52) })['ratelimit-policy']).toMatch(/q=999999999999999;/)
  })

  test.each([
    ['nobody knows the organization', undefined],
    ['there is no limit', { ...POSITION, limit_tokens: null }],
    ['the period has ended', { ...POSITION, period_end: '2026-11-20T00:00:00Z' }],
  ])('are left out where %s', (_name, position) => {
    expect(headersOf(position)).toEqual({})
  })
})
