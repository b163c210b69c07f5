import type { QuotaPolicy, QuotaStep } from '@tollgate/shared/contracts'
import type { QuotaRow } from '../data/reports.ts'
import { formatCount, formatShort } from './format.ts'
import { toPicodollars } from './money.ts'
import { STEP_STATES } from './policy-form.ts'

/** What an organization has used by now, and what it is measured against: all that a ladder is asked of. */
export type Measured = Pick<QuotaRow, 'used_tokens' | 'limit_tokens' | 'granted_tokens' | 'cost_usd'>

/** Whom a policy is for, and where that stands. */
export type Standing = Measured & Pick<QuotaRow, 'name' | 'state' | 'mode' | 'manual_act'>

/** What a policy does at once with what is used by now; said before it comes into force. */
export function tellPolicyConsequence(policy: QuotaPolicy, standing: Standing): string {
  const { name, used_tokens, state, mode, manual_act } = standing
  const reached = policy.steps.filter((step) => isReached(step, policy, standing))
  const isWithheld = mode === 'observe' || manual_act?.act === 'exempt'
  const acts = (step: QuotaStep): boolean => step.state === 'warned' || (!isWithheld && step.mode !== 'soft')
  const now = strictestOf(reached.filter((step) => acts(step) && graceOf(step) === 0))
  const later = reached.filter((step) => acts(step) && graceOf(step) > 0)
  const withheld = strictestOf(reached.filter((step) => !acts(step)))
  // What has no effect yet is told as a warning.
  const ruled = later.length > 0 || rankOf(withheld) > rankOf(now) ? strictest(now, 'warned') : now
  const used = `With ${formatShort(Number(used_tokens))} LLM tokens used`
  if (manual_act?.act === 'restore') return `${ORDERS.restore} ${used} the policy alone would make ${name} ${ruled}.`
  return [
    tellOrder(manual_act?.act),
    `${used} ${name} ${tellState(standAfter(ruled, manual_act?.act), state)}.`,
    ...later
      .filter((step) => rankOf(step.state) > rankOf(ruled))
      .map((step) => `After ${formatCount(String(graceOf(step)))} s it becomes ${step.state}.`),
    rankOf(withheld) > rankOf(now) ? `It would be ${withheld}, which is only recorded.` : '',
  ]
    .filter((text) => text !== '')
    .join(' ')
}

/** Whether a step is reached by what is used. A limit that is missing lifts every step of its measure. */
function isReached(step: QuotaStep, { max_cost_usd }: QuotaPolicy, measured: Measured): boolean {
  const [used, cost] = [BigInt(measured.used_tokens), toPicodollars(measured.cost_usd)]
  const granted = BigInt(measured.granted_tokens)
  const limit = measured.limit_tokens === null ? null : BigInt(measured.limit_tokens) + granted
  if ('at_percent' in step) {
    const percent = BigInt(step.at_percent)
    if (limit !== null && used * 100n >= limit * percent) return true
    return typeof max_cost_usd === 'string' && cost * 100n >= toPicodollars(max_cost_usd) * percent
  }
  if ('at_tokens' in step) return limit !== null && used >= BigInt(step.at_tokens) + granted
  return max_cost_usd !== null && cost >= toPicodollars(step.at_usd)
}

const ORDER = ['active', ...STEP_STATES] as const
type State = (typeof ORDER)[number]

const graceOf = ({ state, grace_seconds = 0 }: QuotaStep): number => (state === 'warned' ? 0 : grace_seconds)
const rankOf = (state: State): number => ORDER.indexOf(state)
const strictest = (one: State, other: State): State => (rankOf(one) < rankOf(other) ? other : one)
const strictestOf = (steps: readonly QuotaStep[]): State =>
  steps.reduce<State>((state, step) => strictest(state, step.state), 'active')

/** What stands beside what somebody ordered by hand. */
function standAfter(ruled: State, act: Act | undefined): State {
  if (act === 'revoke') return 'revoked'
  return act === 'downgrade' ? strictest(ruled, 'downgraded') : ruled
}

type Act = NonNullable<QuotaRow['manual_act']>['act']

const ORDERS: Record<Act, string> = {
  revoke: 'It was revoked by hand, which holds whatever the policy says.',
  downgrade: 'It was downgraded by hand, which holds beside the policy.',
  exempt: 'It is exempt: no step takes anything away.',
  restore: 'It was restored by hand: steps that had been reached by then have no effect.',
}
const tellOrder = (act: Act | undefined): string => (act === undefined ? '' : ORDERS[act])

const tellState = (next: State, present: State): string => {
  if (next === present) return `stays ${next}`
  return next === 'active' ? 'has full access again at once' : `becomes ${next} at once`
}
