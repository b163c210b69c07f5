import type { QuotaPolicy } from '@tollgate/shared/contracts'
import { rank } from '@tollgate/shared/quota/for-pages'
import type { QuotaRow } from '../data/reports.ts'
import { formatCount, formatShort } from './format.ts'
import { foresee, type Standing, toPosition } from './standing.ts'

type Act = NonNullable<QuotaRow['manual_act']>['act']

/** What a policy does at once with what is used by now, by the enforcer's own rules; said before it comes into force. */
export function tellPolicyConsequence(policy: QuotaPolicy, standing: Standing): string {
  const { name, used_tokens, state, manual_act } = standing
  const { now, later } = foresee(toPosition(standing), policy)
  const used = `With ${formatShort(Number(used_tokens))} LLM tokens used`
  if (manual_act?.act === 'restore')
    return `${ORDERS.restore} ${used} the policy alone would make ${name} ${now.state}.`
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
