import type { QuotaPolicy } from '@tollgate/shared/contracts'
import { DEFAULT_QUOTA_POLICY, type QuotaPosition, rank } from '@tollgate/shared/quota/for-pages'
import type { QuotaRow, UserLimitRow } from '../data/reports.ts'
import { formatCount, formatShort } from './format.ts'
import { foresee, toPosition } from './standing.ts'

/** Whom a limit is set for, and what it is measured against. */
export interface Limited {
  readonly name: string
  readonly state: string
  /** Null: the default ladder. */
  readonly policy: QuotaPolicy | null
  /** What would be decided from under the present limit. */
  readonly position: QuotaPosition
}

/** An organization as its own limit finds it. */
export const limitedOrganization = (row: QuotaRow): Limited => ({
  ...{ name: row.name, state: row.state, policy: row.policy, position: toPosition(row) },
})

/** A user as a limit of the own finds it, or the default for users; of what users cost the page knows nothing. */
export const limitedUser = (row: UserLimitRow, { mode }: QuotaRow): Limited => ({
  ...{ name: row.user_name, state: row.state, policy: row.policy },
  position: { used: BigInt(row.used_tokens), limit: null, observe: mode === 'observe' },
})

/** The same with another ladder. */
export const withLadder = (all: readonly Limited[], policy: QuotaPolicy): Limited[] =>
  all.map((limited) => ({ ...limited, policy }))

/** What a new limit does at once, by the enforcer's own rules and what is used already; empty where it does nothing. */
export function tellConsequence(limit: number | null, { name, state, policy, position }: Limited): string {
  if (limit === null) return ''
  const whole = BigInt(limit) + (position.granted ?? 0n)
  const { now, later } = foresee({ ...position, limit: whole }, policy ?? DEFAULT_QUOTA_POLICY)
  const { state: last, observed } = later.at(-1)?.verdict ?? now
  const told = `${name} has used ${formatShort(Number(position.used))} LLM tokens already`
  const comes = [
    ...(takesAway(now.state) ? [now.state === state ? `stays ${state}` : `will be ${now.state} at once`] : []),
    ...later.map(({ afterMs, verdict }) => `will be ${verdict.state} after ${formatCount(String(afterMs / 1_000))} s`),
  ]
  const isWithheld = observed !== null && takesAway(observed.state) && rank(observed.state) > rank(last)
  if (isWithheld) comes.push(`would be ${observed.state} at once, which is only recorded`)
  if (comes.length > 0) return `${told}: by the policy access ${comes.join(', and ')}.`
  return position.used > whole ? `${told}, which is more.` : ''
}

const takesAway = (state: QuotaRow['state']): boolean => rank(state) >= rank('downgraded')

const MOST_TOLD = 3

/** The same of several users; of many the first ones by name. */
export function tellConsequences(limit: number | null, all: readonly Limited[]): string {
  const told = all.map((limited) => tellConsequence(limit, limited)).filter((text) => text !== '')
  const more = told.length - MOST_TOLD
  return [...told.slice(0, MOST_TOLD), ...(more > 0 ? [`The like holds for ${more} more.`] : [])].join(' ')
}
