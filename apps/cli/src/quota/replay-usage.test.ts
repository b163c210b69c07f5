import { DEFAULT_QUOTA_POLICY, quotaPolicy } from '@tollgate/shared/contracts'
import { expect, test } from 'vitest'
import { replayUsage } from './replay-usage.ts'

const JANUARY = Date.UTC(2026, 0, 1)
const FEBRUARY = Date.UTC(2026, 1, 1)
const END = Date.UTC(2026, 2, 1)
const HOUR = 3_600_000
const NEVER = Number.POSITIVE_INFINITY
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

const act = (hour: number, action: 'revoke' | 'restore' | 'exempt' | 'clear', until = Number.POSITIVE_INFINITY) => ({
  ...{ at: JANUARY + hour * HOUR, action, until },
})

test('a grant lifts what its usage had brought, is spent before the limit where it expires first, and what is left goes on', () => {
  const grants = [{ amount: 1_000n, priority: 100, at: JANUARY + 3 * HOUR, expires: JANUARY + 5 * HOUR, voided: NEVER }]
  const history = [use(JANUARY, 1, 1_250), use(JANUARY, 6, 50), use(FEBRUARY, 1, 990)]
  const found = replayUsage(history, { ...rules, grants }, END)
  expect(found.map(({ at, state, limit_tokens }) => [at.slice(0, 13), state, limit_tokens])).toEqual([
    ['2026-01-01T01', 'revoked', '1000'],
    ['2026-01-01T03', 'warned', '2000'], // 62 %
    ['2026-02-01T00', 'active', '1000'], // all of it was spent in January, before the limit
    ['2026-02-01T01', 'warned', '1000'],
  ])
  const kept = [{ amount: 1_000n, priority: 100, at: JANUARY + 3 * HOUR, expires: NEVER, voided: NEVER }]
  const later = replayUsage(history, { ...rules, grants: kept }, END)
  expect(later.at(-1)).toMatchObject({ state: 'warned', reason: 'max_tokens_50_percent', limit_tokens: '1700' })
  // Voided at 5 o'clock: the 250 beyond the limit stay spent, the rest is gone at once.
  const voided = replayUsage(
    history,
    { ...rules, grants: kept.map((grant) => ({ ...grant, voided: JANUARY + 5 * HOUR })) },
    END,
  )
  expect(voided.map(({ at, state, limit_tokens }) => [at.slice(0, 13), state, limit_tokens])).toEqual([
    ['2026-01-01T01', 'revoked', '1000'],
    ['2026-01-01T03', 'warned', '2000'],
    ['2026-01-01T05', 'downgraded', '1250'],
    ['2026-02-01T00', 'active', '1000'],
    ['2026-02-01T01', 'warned', '1000'],
  ])
})

test('manual acts hold from when to when they were ordered, and observing takes nothing', () => {
  const acts = [act(1, 'revoke'), act(2, 'clear'), act(6, 'restore', FEBRUARY), act(30, 'exempt', JANUARY + 40 * HOUR)]
  const history = [use(JANUARY, 5, 1_000), use(JANUARY, 20, 200), use(JANUARY, 50, 10)]
  const found = replayUsage(history, { ...rules, acts, periods: [JANUARY, FEBRUARY, END] }, END)
  expect(found.map(({ at, state, reason, observed }) => [at.slice(5, 13), state, reason, observed])).toEqual([
    ['01-01T01', 'revoked', 'manual_revoke', null],
    ['01-01T02', 'active', 'within_limit', null],
    ['01-01T05', 'downgraded', 'max_tokens_100_percent', null],
    ['01-01T06', 'warned', 'max_tokens_90_percent', 'downgraded'],
    ['01-01T20', 'revoked', 'max_tokens_120_percent', null],
    ['01-02T06', 'warned', 'max_tokens_90_percent', 'revoked'],
    ['01-02T16', 'revoked', 'max_tokens_120_percent', null],
    ['02-01T00', 'active', 'within_limit', null],
  ])
  const observed = replayUsage(history, { ...rules, observe: true }, END)
  expect(observed.map(({ state, observed: withheld }) => [state, withheld])).toEqual([
    ['warned', 'downgraded'],
    ['warned', 'revoked'],
  ])
})
