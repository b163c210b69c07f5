import type { QuotaPolicy, QuotaStep } from '@tollgate/shared/contracts'
import { DEFAULT_QUOTA_POLICY } from '@tollgate/shared/quota/for-pages'
import type { QuotaRow, UserLimitRow } from '../data/reports.ts'
import { formatCount, formatShort } from './format.ts'
import { STEP_STATES } from './policy-form.ts'

/** Whom a limit is set for, and what it is measured against. */
export interface Limited {
  readonly name: string
  readonly used: string
  /** On top of the limit. */
  readonly granted: string
  readonly state: string
  /** Null: the default ladder. */
  readonly policy: QuotaPolicy | null
  /** Whatever the ladder says is recorded alone. */
  readonly isWithheld: boolean
}

/** An organization as its own limit finds it. */
export const limitedOrganization = (position: QuotaRow): Limited => ({
  ...{ name: position.name, used: position.used_tokens, granted: position.granted_tokens, state: position.state },
  ...{ policy: position.policy, isWithheld: position.mode === 'observe' || position.manual_act?.act === 'exempt' },
})

/** A user as a limit of the own finds it, or the default for users. */
export const limitedUser = (row: UserLimitRow, { mode }: QuotaRow): Limited => ({
  ...{ name: row.user_name, used: row.used_tokens, granted: '0', state: row.state },
  ...{ policy: row.policy, isWithheld: mode === 'observe' },
})

/** The same with another ladder. */
export const withLadder = (all: readonly Limited[], policy: QuotaPolicy): Limited[] =>
  all.map((limited) => ({ ...limited, policy }))

/** What a new limit does at once, by what is used already and the steps of the ladder in LLM tokens; empty where it does nothing. */
export function tellConsequence(limit: number | null, limited: Limited): string {
  if (limit === null) return ''
  const [used, whole] = [BigInt(limited.used), BigInt(limit) + BigInt(limited.granted)]
  const steps = (limited.policy ?? DEFAULT_QUOTA_POLICY).steps.filter((step) => {
    if (step.state === 'warned' || step.mode === 'soft') return false
    if ('at_percent' in step) return used * 100n >= whole * BigInt(step.at_percent)
    return 'at_tokens' in step && used >= BigInt(step.at_tokens) + BigInt(limited.granted)
  })
  const [strictest] = steps.sort(
    (one, two) => strictness(two.state) - strictness(one.state) || (one.grace_seconds ?? 0) - (two.grace_seconds ?? 0),
  )
  const told = `${limited.name} has used ${formatShort(Number(used))} LLM tokens already`
  if (strictest === undefined) return used > whole ? `${told}, which is more.` : ''
  const { state, grace_seconds = 0 } = strictest
  const access = `${told}: by the policy access`
  if (limited.isWithheld) return `${access} would be ${state} at once, which is only recorded.`
  if (limited.state === state) return `${access} stays ${state}.`
  return `${access} will be ${state} ${grace_seconds > 0 ? `after ${formatCount(String(grace_seconds))} s` : 'at once'}.`
}

const strictness = (state: QuotaStep['state']): number => STEP_STATES.indexOf(state)

const MOST_TOLD = 3

/** The same of several users; of many the first ones by name. */
export function tellConsequences(limit: number | null, all: readonly Limited[]): string {
  const told = all.map((limited) => tellConsequence(limit, limited)).filter((text) => text !== '')
  const more = told.length - MOST_TOLD
  return [...told.slice(0, MOST_TOLD), ...(more > 0 ? [`The like holds for ${more} more.`] : [])].join(' ')
}
