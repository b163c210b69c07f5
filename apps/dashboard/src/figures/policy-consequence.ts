import type { QuotaPolicy } from '@tollgate/shared/contracts'
import { decide, type QuotaPosition, rank, toPicodollars } from '@tollgate/shared/quota/for-pages'
import type { QuotaRow } from '../data/reports.ts'
import { formatCount, formatShort } from './format.ts'

/** Whom a policy is for, where that stands, and what it has used by now. */
export type Standing = Pick<
  QuotaRow,
  'name' | 'state' | 'mode' | 'manual_act' | 'used_tokens' | 'limit_tokens' | 'granted_tokens' | 'cost_usd'
>
type Act = NonNullable<QuotaRow['manual_act']>['act']

/** What a policy does at once with what is used by now, by the enforcer's own rules; said before it comes into force. */
export function tellPolicyConsequence(policy: QuotaPolicy, standing: Standing): string {
  const { name, used_tokens, state, manual_act } = standing
  const position = toPosition(standing)
  const now = decide(position, policy)
  const used = `With ${formatShort(Number(used_tokens))} LLM tokens used`
  if (manual_act?.act === 'restore')
    return `${ORDERS.restore} ${used} the policy alone would make ${name} ${now.state}.`
  const later = followGraces(position, policy)
  const { state: last, observed } = later.at(-1)?.verdict ?? now
  return [
    ...(manual_act ? [ORDERS[manual_act.act]] : []),
    `${used} ${name} ${tellState(now.state, state)}.`,
    ...later.map(
      ({ afterMs, verdict }) => `After ${formatCount(String(afterMs / 1_000))} s it becomes ${verdict.state}.`,
    ),
    ...(observed && rank(observed.state) > rank(last)
      ? [`It would be ${observed.state}, which is only recorded.`]
      : []),
  ].join(' ')
}

function toPosition(standing: Standing): QuotaPosition {
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

/** The other states that come as graces end, if nothing more is used. */
function followGraces(position: QuotaPosition, policy: QuotaPolicy) {
  const changes: { afterMs: number; verdict: ReturnType<typeof decide> }[] = []
  let verdict = decide(position, policy)
  while (verdict.due_at !== null) {
    const next = decide({ ...position, at: verdict.due_at, reached: verdict.reached }, policy)
    if (next.state !== verdict.state) changes.push({ afterMs: verdict.due_at, verdict: next })
    verdict = next
  }
  return changes
}

const ORDERS: Record<Act, string> = {
  revoke: 'It was revoked by hand, which holds whatever the policy says.',
  downgrade: 'It was downgraded by hand, which holds beside the policy.',
  exempt: 'It is exempt: no step takes anything away.',
  restore: 'It was restored by hand: steps that had been reached by then have no effect.',
}

const tellState = (next: QuotaRow['state'], present: QuotaRow['state']): string => {
  if (next === present) return `stays ${next}`
  return next === 'active' ? 'has full access again at once' : `becomes ${next} at once`
}
