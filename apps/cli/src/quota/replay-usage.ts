import type { EnforcementState, QuotaPolicy, ReducedConfig } from '@tollgate/shared/contracts'
import { decide, fromPicodollars, type ManualAct, type QuotaVerdict, toPicodollars } from '@tollgate/shared/quota'
import { endOf, openGrantBooks, type PastGrant } from './grant-books.ts'

/** A ledger entry, as far as a quota looks at it; times are epoch ms. */
export interface PastUsage {
  readonly periodStart: number
  readonly time: number
  readonly tokens: bigint
  /** Exact decimal; null: unpriced. */
  readonly costUsd: string | null
}

/** What somebody ordered by hand, at an instant. */
export interface PastAct {
  readonly at: number
  readonly action: ManualAct['act'] | 'clear'
  /** Infinity: until it was taken back. */
  readonly until: number
}

/** What past usage is held against. */
export interface Rules {
  readonly limit: bigint | null
  readonly policy: QuotaPolicy
  readonly reducedConfigs: Readonly<Record<string, ReducedConfig>>
  /** Boundaries of periods; those at which usage says that one began are known anyway. */
  readonly periods?: readonly number[]
  readonly grants?: readonly PastGrant[]
  readonly acts?: readonly PastAct[]
  /** Nothing is refused: what would be is withheld. */
  readonly observe?: boolean
}

/** A change that would have come, at an instant. */
export interface Crossing {
  readonly at: string
  readonly from_state: EnforcementState
  readonly state: EnforcementState
  readonly reason: string
  /** What a step without effect would do, for instance a soft one; null: nothing is withheld. */
  readonly observed: string | null
  readonly used_tokens: string
  readonly limit_tokens: string | null
  readonly cost_usd: string
  readonly period_start: string
}

/** Something that happened; of one instant, in the order of the ranks. */
interface Step {
  readonly at: number
  readonly rank: number
  readonly run: () => void
}

const iso = (ms: number): string => new Date(ms).toISOString()

/**
 * Replays usage by time, with grants as they were given and manual acts as they were ordered, and gives each change of state
 * or step that the rules would have brought, up to `until`. Pure.
 */
export function replayUsage(usage: readonly PastUsage[], rules: Rules, until: number): Crossing[] {
  const { limit, policy, reducedConfigs, observe = false, grants = [], acts = [] } = rules
  const starts = [...new Set([...(rules.periods ?? []), ...usage.map(({ periodStart }) => periodStart)])].sort(
    (a, b) => a - b,
  )
  const books = openGrantBooks()
  const crossings: Crossing[] = []
  let period = { start: Number.NEGATIVE_INFINITY, end: starts[0] ?? Number.POSITIVE_INFINITY, used: 0n, limit }
  let cost = 0n
  let act: ManualAct | null = null
  let verdict: QuotaVerdict | undefined

  const decideAt = (at: number): void => {
    const granted = books.granted(period.start)
    const whole = limit === null ? null : limit + granted
    const reached = verdict?.reached ?? {}
    const position = {
      used: period.used,
      cost,
      limit: whole,
      granted,
      at,
      reached,
      reducedConfigs,
      observe,
      manualAct: act,
    }
    const before = verdict
    verdict = decide(position, policy)
    if (isSame(before, verdict)) return
    crossings.push({
      at: iso(at),
      from_state: before?.state ?? 'active',
      state: verdict.state,
      reason: verdict.reason,
      observed: verdict.observed?.state ?? null,
      used_tokens: String(period.used),
      limit_tokens: whole === null ? null : String(whole),
      cost_usd: fromPicodollars(cost),
      period_start: iso(period.start),
    })
  }
  // Graces and acts end by time alone, also where no usage follows.
  const passTime = (to: number): void => {
    for (let due = verdict?.due_at ?? null; due !== null && due < to; due = verdict?.due_at ?? null) decideAt(due)
  }
  const steps: Step[] = [
    ...starts.map((start, index) => ({
      ...{ at: start, rank: 0 },
      run: () => {
        books.settle(period, start)
        period = { start, end: starts[index + 1] ?? Number.POSITIVE_INFINITY, used: 0n, limit }
        cost = 0n
        if (verdict) verdict = { ...verdict, reached: {} }
      },
    })),
    ...grants.map(endOf).map((at) => ({ at, rank: 1, run: () => books.settle(period, at) })),
    ...grants.map((grant) => ({ at: grant.at, rank: 2, run: () => books.add(grant) })),
    ...acts.map(({ at, action, until: ends }) => ({
      ...{ at, rank: 3 },
      run: () => {
        const end = Number.isFinite(ends) ? ends : null
        act = action === 'clear' ? null : { act: action, until: end, used: period.used, cost }
      },
    })),
    ...usage.map(({ periodStart, time, tokens, costUsd }) => ({
      // What posts to a later period than its own counts from that one's start.
      ...{ at: Math.max(time, periodStart), rank: 4 },
      run: () => {
        period.used += tokens
        cost += toPicodollars(costUsd ?? '0')
      },
    })),
  ]
  steps.sort((a, b) => a.at - b.at || a.rank - b.rank)
  for (const { at, run } of steps) {
    if (at > until) break
    passTime(at)
    run()
    decideAt(at)
  }
  passTime(until)
  return crossings
}

function isSame(before: QuotaVerdict | undefined, now: QuotaVerdict): boolean {
  const essence = (verdict: QuotaVerdict) => [
    verdict.state,
    verdict.state === 'active' ? null : verdict.reason,
    verdict.observed && [verdict.observed.state, verdict.observed.reason],
  ]
  const idle = ['active', null, null]
  return JSON.stringify(before ? essence(before) : idle) === JSON.stringify(essence(now))
}
