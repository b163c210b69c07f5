import { ENFORCEMENT_STATES } from '../contracts/enforcement-states.ts'
import type { EnforcementState, QuotaPolicy, QuotaStep } from '../contracts/index.ts'
import { toPicodollars } from './picodollars.ts'

/** What is measured: LLM tokens, or cost in 10⁻¹² US dollars. */
export type Measure = 'tokens' | 'cost'

/** A step of a ladder as one amount of one measure. */
export interface Rung {
  /** Names the rung in reasons: `max_tokens_80_percent`, `max_cost_usd_at_25`. */
  readonly key: string
  readonly measure: Measure
  /** The smallest amount that reaches it. */
  readonly threshold: bigint
  /** Threshold in percent of its limit, to compare rungs of different measures. */
  readonly share: number
  readonly step: QuotaStep
}

/** What the rungs are cut from. */
export interface Limits {
  /** LLM tokens, grants included; null is unlimited. */
  readonly limit: bigint | null
  /** The part of `limit` that was granted on top: absolute steps lie that much higher. */
  readonly granted: bigint
}

/** The smallest total that reaches a percentage of the limit; exact, rounded up. */
export function thresholdOf(limit: bigint, percent: number): bigint {
  return (limit * BigInt(percent) + 99n) / 100n
}

/** The rungs of a ladder. A limit that is null lifts every step of its measure. */
export function cutRungs(policy: QuotaPolicy, { limit, granted }: Limits): Rung[] {
  const cap = policy.max_cost_usd
  const maxCost = typeof cap === 'string' ? toPicodollars(cap) : null
  return policy.steps.flatMap((step): Rung[] => {
    if ('at_percent' in step) {
      const [percent, share] = [step.at_percent, step.at_percent]
      const at = (amount: bigint) => ({ threshold: thresholdOf(amount, percent), share, step })
      return [
        ...(limit === null ? [] : [{ key: `max_tokens_${percent}_percent`, measure: 'tokens' as const, ...at(limit) }]),
        ...(maxCost === null
          ? []
          : [{ key: `max_cost_usd_${percent}_percent`, measure: 'cost' as const, ...at(maxCost) }]),
      ]
    }
    if ('at_tokens' in step) {
      if (limit === null) return []
      const threshold = BigInt(step.at_tokens) + granted
      return [
        {
          key: `max_tokens_at_${step.at_tokens}`,
          measure: 'tokens',
          threshold,
          share: shareOf(threshold, limit),
          step,
        },
      ]
    }
    if (cap === null) return []
    const threshold = toPicodollars(step.at_usd)
    return [
      { key: `max_cost_usd_at_${step.at_usd}`, measure: 'cost', threshold, share: shareOf(threshold, maxCost), step },
    ]
  })
}

function shareOf(threshold: bigint, limit: bigint | null): number {
  if (limit === null || limit === 0n) return Number.POSITIVE_INFINITY
  return (Number(threshold) / Number(limit)) * 100
}

/** How strict a state is, from 0. */
export function rank(state: EnforcementState): number {
  return ENFORCEMENT_STATES.indexOf(state)
}

/** Whether one rung is stricter than another: by state, then by share; the rest makes the order total. */
function isStricter(rung: Rung, than: Rung): boolean {
  const byState = rank(rung.step.state) - rank(than.step.state)
  if (byState !== 0) return byState > 0
  if (rung.share !== than.share) return rung.share > than.share
  if (rung.measure !== than.measure) return rung.measure === 'tokens'
  if (rung.threshold !== than.threshold) return rung.threshold > than.threshold
  return rung.key > than.key
}

/** The strictest of some rungs; null of none. */
export function strictestOf(rungs: readonly Rung[]): Rung | null {
  return rungs.reduce<Rung | null>((best, rung) => (best === null || isStricter(rung, best) ? rung : best), null)
}
