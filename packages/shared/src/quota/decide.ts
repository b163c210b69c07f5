import type { QuotaPolicy } from '../contracts/index.ts'
import type { QuotaPosition, QuotaVerdict, Ruling } from './position.ts'
import { rule } from './rule.ts'
import { cutRungs, type Rung } from './rungs.ts'

/**
 * Decides from what is, never from what was: the same position and policy always give the same verdict, so that
 * repeating, skipping or reordering evaluations cannot lead astray. Holds do not count here: a hold that is released
 * again must not have revoked anybody.
 */
export function decide(position: QuotaPosition, policy: QuotaPolicy): QuotaVerdict {
  const full = { cost: 0n, ...position }
  const rungs = cutRungs(policy, { limit: full.limit, granted: full.granted ?? 0n })
  const ruleAt = (amounts: { used?: bigint; cost?: bigint }) => rule({ ...full, ...amounts }, policy, rungs)
  const ruling = ruleAt({})
  const differs = (amounts: { used?: bigint; cost?: bigint }) => !isSame(ruleAt(amounts), ruling)
  const tokens = thresholdsOf(rungs, 'tokens')
  const costs = thresholdsOf(rungs, 'cost')
  return {
    ...ruling,
    evaluate_at: tokens.find((used) => used > full.used && differs({ used })) ?? null,
    evaluate_below: tokens.findLast((at) => at <= full.used && differs({ used: at - 1n })) ?? null,
    evaluate_at_cost: costs.find((cost) => cost > full.cost && differs({ cost })) ?? null,
    evaluate_below_cost: costs.findLast((at) => at <= full.cost && differs({ cost: at - 1n })) ?? null,
    due_at: nextInstant(full, ruling, rungs),
  }
}

function thresholdsOf(rungs: readonly Rung[], measure: Rung['measure']): bigint[] {
  const thresholds = rungs.filter((rung) => rung.measure === measure).map(({ threshold }) => threshold)
  return [...new Set(thresholds)].sort((a, b) => (a < b ? -1 : 1))
}

// Since when a step is reached is no part of a ruling, that it is reached is: its grace begins then.
function isSame(a: Ruling, b: Ruling): boolean {
  const essence = ({ reached, observed, ...rest }: Ruling) =>
    JSON.stringify([rest, observed && { ...observed, until: null }, Object.keys(reached).sort()])
  return essence(a) === essence(b)
}

function nextInstant(position: QuotaPosition, { reached }: Ruling, rungs: readonly Rung[]): number | null {
  const at = position.at ?? 0
  const graces = rungs.flatMap(({ key, step }) => {
    const since = reached[key]
    return since === undefined ? [] : [since + (step.grace_seconds ?? 0) * 1_000]
  })
  const ends = [...graces, position.manualAct?.until ?? Number.NaN].filter((end) => end > at)
  return ends.length === 0 ? null : Math.min(...ends)
}
