import type { QuotaPolicy } from '@tollgate/shared/contracts'
import { decide, type QuotaPosition, toPicodollars } from '@tollgate/shared/quota/for-pages'
import type { QuotaRow } from '../data/reports.ts'

/** Whom a limit or a policy is for, where that stands, and what it has used by now. */
export type Standing = Pick<
  QuotaRow,
  'name' | 'state' | 'mode' | 'manual_act' | 'used_tokens' | 'limit_tokens' | 'granted_tokens' | 'cost_usd'
>

/** A verdict of the enforcer's own rules. */
type Verdict = ReturnType<typeof decide>

/** What the enforcer would decide from now. */
export function toPosition(standing: Standing): QuotaPosition {
  const { used_tokens, limit_tokens, granted_tokens, cost_usd, mode, manual_act } = standing
  const granted = BigInt(granted_tokens)
  // What had been used when access was restored is not told here: what the policy alone does is.
  const act =
    manual_act && manual_act.act !== 'restore' ? { act: manual_act.act, until: null, used: 0n, cost: 0n } : null
  return {
    ...{ used: BigInt(used_tokens), cost: toPicodollars(cost_usd), granted, at: 0 },
    limit: limit_tokens === null ? null : BigInt(limit_tokens) + granted,
    ...{ observe: mode === 'observe', manualAct: act },
  }
}

/** What is decided at once, and the other states that come as graces end, if nothing more is used. */
export function foresee(position: QuotaPosition, policy: QuotaPolicy) {
  const now = decide(position, policy)
  const later: { afterMs: number; verdict: Verdict }[] = []
  let verdict = now
  while (verdict.due_at !== null) {
    const next = decide({ ...position, at: verdict.due_at, reached: verdict.reached }, policy)
    if (next.state !== verdict.state) later.push({ afterMs: verdict.due_at, verdict: next })
    verdict = next
  }
  return { now, later }
}
