import type { EnforcementState, QuotaPolicy, QuotaStep, ReducedConfig } from '@tollgate/shared/contracts'
import { ENFORCEMENT_STATES } from '@tollgate/shared/contracts'

/** What a decision rests on; LLM tokens of one period, `limit: null` is unlimited. */
export interface QuotaPosition {
  readonly used: bigint
  readonly limit: bigint | null
}

/** What follows from a position. */
export interface QuotaVerdict {
  readonly state: EnforcementState
  /** `within_limit`, or which step: `max_tokens_80_percent`. */
  readonly reason: string
  /** The step that decided; null while active. */
  readonly step: QuotaStep | null
  /** What is left of the organization's config; null: all of it. */
  readonly reduced_config: ReducedConfig | null
  /** The smallest larger total that leads to another verdict; null: none does. */
  readonly evaluate_at: bigint | null
}

/**
 * Decides from what is, never from what was: the same position and policy always give the same verdict, so that
 * repeating, skipping or reordering evaluations cannot lead astray. Holds do not count here: a hold that is released
 * again must not have revoked anybody.
 */
export function decide({ used, limit }: QuotaPosition, policy: QuotaPolicy): QuotaVerdict {
  const step = limit === null ? null : strictestReached(policy.steps, limit, used)
  const state = step?.state ?? 'active'
  return {
    state,
    reason: step === null ? 'within_limit' : `max_tokens_${step.at_percent}_percent`,
    step,
    reduced_config: rank(state) >= rank('downgraded') ? policy.downgrade_to : null,
    evaluate_at: limit === null ? null : findNextChange(policy.steps, limit, used, step),
  }
}

/** The smallest total that reaches a percentage of the limit; exact, rounded up. */
export function thresholdOf(limit: bigint, percent: number): bigint {
  return (limit * BigInt(percent) + 99n) / 100n
}

function strictestReached(steps: readonly QuotaStep[], limit: bigint, used: bigint): QuotaStep | null {
  return steps
    .filter((step) => thresholdOf(limit, step.at_percent) <= used)
    .reduce<QuotaStep | null>((best, step) => (best === null || isStricter(step, best) ? step : best), null)
}

function isStricter(step: QuotaStep, than: QuotaStep): boolean {
  const difference = rank(step.state) - rank(than.state)
  return difference > 0 || (difference === 0 && step.at_percent > than.at_percent)
}

// A verdict changes only where a stricter step than the present one is reached: a milder step further up is no change.
function findNextChange(
  steps: readonly QuotaStep[],
  limit: bigint,
  used: bigint,
  present: QuotaStep | null,
): bigint | null {
  return steps
    .filter((step) => present === null || isStricter(step, present))
    .map((step) => thresholdOf(limit, step.at_percent))
    .filter((threshold) => threshold > used)
    .reduce<bigint | null>((least, threshold) => (least === null || threshold < least ? threshold : least), null)
}

function rank(state: EnforcementState): number {
  return ENFORCEMENT_STATES.indexOf(state)
}
