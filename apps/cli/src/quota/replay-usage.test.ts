import { DEFAULT_QUOTA_POLICY, quotaPolicy } from '@tollgate/shared/contracts'
import { expect, test } from 'vitest'
import { replayUsage } from './replay-usage.ts'

const JANUARY = Date.UTC(2026, 0, 1)
const FEBRUARY = Date.UTC(2026, 1, 1)
const END = Date.UTC(2026, 2, 1)
const HOUR = 3_600_000
const use = (periodStart: number, hour: number, tokens: number, costUsd: string | null = null) => ({
  ...{ periodStart, time: periodStart + hour * HOUR, tokens: BigInt(tokens), costUsd },
})
const rules = { limit: 1_000n, policy: DEFAULT_QUOTA_POLICY, reducedConfigs: {} }
const told = (crossings: ReturnType<typeof replayUsage>) =>
  crossings.map(({ at, from_state, state, reason }) => [at.slice(0, 13), from_state, state, reason])

test('by hand: two warnings, downgrade, revocation, a correction that lets in again, and a new period', () => {
  const history = [
    use(JANUARY, 5, 200), // 1000: downgraded
    use(JANUARY, 1, 500), // 500: warned
    use(JANUARY, 2, 100),
    use(JANUARY, 3, 200), // 800: warned
    use(JANUARY, 6, 300), // 1300: revoked
    use(JANUARY, 7, -350), // 950: warned
    use(FEBRUARY, 9, 10), // another period: active from its start
  ]
  expect(told(replayUsage(history, rules, END))).toEqual([
    ['2026-01-01T01', 'active', 'warned', 'max_tokens_50_percent'],
    ['2026-01-01T03', 'warned', 'warned', 'max_tokens_80_percent'],
    ['2026-01-01T05', 'warned', 'downgraded', 'max_tokens_100_percent'],
    ['2026-01-01T06', 'downgraded', 'revoked', 'max_tokens_120_percent'],
    ['2026-01-01T07', 'revoked', 'warned', 'max_tokens_90_percent'],
    ['2026-02-01T00', 'warned', 'active', 'within_limit'],
  ])
})

test('a grace ends by time alone, soft steps take nothing, and cost counts', () => {
  const policy = quotaPolicy.parse({
    steps: [
      { at_percent: 100, state: 'revoked', grace_seconds: 7_200 },
      { at_usd: '2', state: 'downgraded', mode: 'soft' },
    ],
    downgrade_to: {},
  })
  const crossings = replayUsage([use(JANUARY, 1, 10, '2.5'), use(JANUARY, 3, 990)], { ...rules, policy }, END)
  expect(crossings.map(({ at, state, observed, cost_usd }) => [at.slice(0, 13), state, observed, cost_usd])).toEqual([
    ['2026-01-01T01', 'warned', 'downgraded', '2.5'],
    ['2026-01-01T03', 'warned', 'revoked', '2.5'],
    ['2026-01-01T05', 'revoked', null, '2.5'],
  ])
})

test('without a limit nobody is told anything', () => {
  expect(replayUsage([use(JANUARY, 1, 1_000_000)], { ...rules, limit: null }, END)).toEqual([])
})
