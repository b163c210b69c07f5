import type { EnforcementState, QuotaPolicy, ReducedConfig } from '@tollgate/shared/contracts'
import { decide, fromPicodollars, type QuotaVerdict, toPicodollars } from '@tollgate/shared/quota'

/** A ledger entry, as far as a quota looks at it; times are epoch ms. */
export interface PastUsage {
  readonly periodStart: number
  readonly time: number
  readonly tokens: bigint
  /** Exact decimal; null: unpriced. */
  readonly costUsd: string | null
}

/** What past usage is held against. */
export interface Rules {
  readonly limit: bigint | null
  readonly policy: QuotaPolicy
  readonly reducedConfigs: Readonly<Record<string, ReducedConfig>>
}

/** A change that would have come, at an instant. */
export interface Crossing {
  readonly at: string
  readonly from_state: EnforcementState
  readonly state: EnforcementState
  readonly reason: string
  /** What a soft step or one in its grace would do; null: nothing is withheld. */
  readonly observed: string | null
  readonly used_tokens: string
  readonly cost_usd: string
  readonly period_start: string
}

interface Standing {
  readonly used: bigint
  readonly cost: bigint
  readonly verdict: QuotaVerdict
}

const iso = (ms: number): string => new Date(ms).toISOString()

/**
 * Replays usage by period and time and gives each change of state or step that the rules would have brought, up to
 * `until`. Pure; grants, manual acts and limits of users are left out, since they were given under other rules.
 */
export function replayUsage(usage: readonly PastUsage[], rules: Rules, until: number): Crossing[] {
  const crossings: Crossing[] = []
  let period = Number.NEGATIVE_INFINITY
  let standing: Standing | undefined

  const move = (at: number, used: bigint, cost: bigint): void => {
    const { limit, policy, reducedConfigs } = rules
    const reached = standing?.verdict.reached ?? {}
    const verdict = decide({ used, cost, limit, at, reached, reducedConfigs }, policy)
    const before = standing?.verdict
    standing = { used, cost, verdict }
    if (isSame(before, verdict)) return
    crossings.push({
      at: iso(at),
      from_state: before?.state ?? 'active',
      state: verdict.state,
      reason: verdict.reason,
      observed: verdict.observed?.state ?? null,
      used_tokens: String(used),
      cost_usd: fromPicodollars(cost),
      period_start: iso(period),
    })
  }
  // A grace ends by time alone, also where no usage follows.
  const passTime = (to: number): void => {
    for (
      let due = standing?.verdict.due_at ?? null;
      standing && due !== null && due < to;
      due = standing.verdict.due_at
    ) {
      move(due, standing.used, standing.cost)
    }
  }

  const ordered = [...usage].sort((a, b) => a.periodStart - b.periodStart || a.time - b.time)
  for (const { periodStart, time, tokens, costUsd } of ordered) {
    if (periodStart > period) {
      passTime(periodStart)
      period = periodStart
      if (standing) standing = { ...standing, verdict: { ...standing.verdict, reached: {} } }
      move(periodStart, 0n, 0n)
    }
    // What posts to a later period than its own counts from that one's start.
    const at = Math.max(time, periodStart)
    passTime(at)
    move(at, (standing?.used ?? 0n) + tokens, (standing?.cost ?? 0n) + toPicodollars(costUsd ?? '0'))
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
