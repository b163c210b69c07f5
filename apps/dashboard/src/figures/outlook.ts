import { toPicodollars } from '@tollgate/shared/quota/for-pages'
import type { QuotaRow, StepRow } from '../data/reports.ts'
import { formatCount, formatMoney, formatShort, formatTime } from './format.ts'

/** What will be used at the end of the period if it goes on as so far; nothing is said in its first hours. */
export function project(position: QuotaRow, now: number): number | null {
  const [start, end] = [Date.parse(position.period_start), Date.parse(position.period_end)]
  const share = (now - start) / (end - start)
  return share < 0.02 || share > 1 ? null : Math.round(Number(position.used_tokens) / share)
}

const STRICTNESS = ['active', 'warned', 'downgraded', 'revoked'] as const

/** What happens to the organization next, by its policy and by what was ordered by hand. */
export function nextStep(position: QuotaRow): string {
  const { steps, used_tokens, cost_usd, mode, manual_act } = position
  const comes = steps.filter(({ state }) => isNews(state, position.state))
  const nearest = [
    comes.find(({ at_tokens }) => at_tokens !== null && BigInt(at_tokens) > BigInt(used_tokens)),
    comes.find(({ at_usd }) => at_usd !== null && toPicodollars(at_usd) > toPicodollars(cost_usd)),
  ].filter((step) => step !== undefined)
  return [
    ...(mode === 'observe' ? ['Its limits are observed alone: nothing is refused.'] : []),
    ...nearest.map((step) => tellStep(step, position.state, mode === 'observe' || manual_act?.act === 'exempt')),
    tellEnd(position),
  ].join(' ')
}

// A further warning is news, a further downgrade is none.
const isNews = (state: StepRow['state'], present: QuotaRow['state']): boolean =>
  STRICTNESS.indexOf(state) > STRICTNESS.indexOf(present) || (state === 'warned' && present === 'warned')

/** From where a step holds. */
export const tellAmount = ({ at_tokens, at_usd }: StepRow): string =>
  at_tokens === null ? `${formatMoney(at_usd)} of cost` : `${formatShort(Number(at_tokens))} LLM tokens`

function tellStep(step: StepRow, present: QuotaRow['state'], isWithheld: boolean): string {
  const at = `At ${tellAmount(step)} it`
  if (step.state === 'warned') return present === 'warned' ? `${at} is warned again.` : `${at} becomes warned.`
  if (isWithheld || step.mode === 'soft') return `${at} would become ${step.state}, which is only recorded.`
  const grace = step.grace_seconds > 0 ? ` after ${step.grace_seconds} s` : ''
  return `${at} becomes ${step.state}${grace}.`
}

function tellEnd({ period_end, time_zone, state, manual_act }: QuotaRow): string {
  const end = formatTime(period_end, time_zone)
  const until = manual_act?.until ? `until ${formatTime(manual_act.until, time_zone)}` : 'until that is taken back'
  switch (manual_act?.act) {
    case 'revoke':
      return `It was revoked by hand, ${until}.`
    case 'downgrade':
      return `It was downgraded by hand, ${until}. The period ends ${end}.`
    case 'exempt':
      return `It was exempted by hand, ${until}. The period ends ${end}.`
    default:
      return state === 'active' || state === 'warned'
        ? `The period ends ${end}.`
        : `Full access comes back ${end}, or when the limit is raised.`
  }
}

const REASONS: readonly (readonly [RegExp, (amount: string) => string])[] = [
  [/^max_tokens_(\d+)_percent$/, (percent) => `${percent} % of the limit was reached`],
  [/^max_cost_usd_(\d+)_percent$/, (percent) => `${percent} % of the cost limit was reached`],
  [/^max_tokens_at_(\d+)$/, (count) => `${formatCount(count)} LLM tokens were reached`],
  [/^max_cost_usd_at_(\d+(?:\.\d+)?)$/, (usd) => `${formatMoney(usd)} of cost was reached`],
  [/^within_limit$/, () => 'it is within its limits'],
  [/^period_over$/, () => 'the period was over'],
  [/^manual_(\w+)$/, (act) => `${PAST[act] ?? act} by hand`],
  [/^ordered_(\w+)$/, (act) => `ordered by hand: ${act}`],
]
const PAST: Readonly<Record<string, string>> = { revoke: 'revoked', downgrade: 'downgraded' }

/** A reason on record in words; one that is not known here stays as it is. */
export function tellReason(reason: string): string {
  for (const [pattern, tell] of REASONS) {
    const found = pattern.exec(reason)
    if (found) return tell(found[1] ?? '')
  }
  return reason
}
