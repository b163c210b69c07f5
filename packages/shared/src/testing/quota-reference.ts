// What must hold, said as plainly as possible: no SQL, no shared code with `decide`, one organization, UTC months.
const DAY = 86_400_000

export interface Grant {
  readonly amount: number
  readonly priority: number
  readonly order: number
  /** Epoch ms; Infinity: never. */
  readonly expires: number
  readonly createdIn: number
  readonly spent: Map<number, number>
  closed: boolean
}

export interface Act {
  readonly kind: 'revoke' | 'downgrade' | 'exempt' | 'restore'
  readonly until: number
  readonly used: number
}

/** The organization as it should be. */
export interface Reference {
  at: number
  limit: number | null
  /** Of the one user; undefined: none of its own, the default holds. */
  userLimit: number | null | undefined
  userDefault: number | null
  readonly totals: Map<number, number>
  readonly grants: Grant[]
  act: Act | null
  userAct: Act | null
}

const LADDER = [
  { percent: 50, state: 'warned' },
  { percent: 80, state: 'warned' },
  { percent: 90, state: 'warned' },
  { percent: 100, state: 'downgraded' },
  { percent: 120, state: 'revoked' },
] as const

/** Start of the calendar month that holds an instant; `months` later. */
export function monthOf(at: number, months = 0): number {
  const day = new Date(at)
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + months)
}

/** The next instant at which time alone changes something. */
export function nextInstant({ at, grants, act, userAct }: Reference): number {
  const ends = [
    monthOf(at, 1),
    ...grants.filter((grant) => !grant.closed).map((grant) => grant.expires),
    act?.until ?? 0,
    userAct?.until ?? 0,
  ]
  return Math.min(...ends.filter((end) => end > at))
}

/** Moves time to an instant that is not beyond the next one; what ends there is settled. */
export function moveTo(reference: Reference, to: number): void {
  const isMonthOver = monthOf(to) !== monthOf(reference.at)
  const month = monthOf(reference.at)
  reference.at = to
  const open = reference.grants.filter((grant) => !grant.closed)
  const gave = spread(reference, month)
  for (const grant of open) {
    const isOver = grant.expires <= to
    if (!isOver && !isMonthOver) continue
    grant.spent.set(month, gave.get(grant) ?? 0)
    if (isOver || left(grant) === 0) grant.closed = true
  }
  if (reference.act && reference.act.until <= to) reference.act = null
  if (reference.userAct && reference.userAct.until <= to) reference.userAct = null
}

/** Takes back what a grant has left; what it gave stays given. */
export function voidGrant(reference: Reference, order: number): void {
  const grant = reference.grants.find((one) => one.order === order && !one.closed)
  if (grant === undefined) return
  const month = monthOf(reference.at)
  grant.spent.set(month, spread(reference, month).get(grant) ?? 0)
  grant.closed = true
}

const left = (grant: Grant): number => grant.amount - [...grant.spent.values()].reduce((sum, spent) => sum + spent, 0)

/** Who gives how much to a month, one bucket after the other. */
function spread({ totals, grants, limit }: Reference, month: number): Map<Grant, number> {
  const end = monthOf(month, 1)
  const open = grants.filter((grant) => !grant.closed)
  const buckets = [
    { grant: null, size: limit ?? Number.MAX_SAFE_INTEGER, expires: end, kind: 0, priority: 0, order: 0 },
    ...open.map((grant) => ({
      grant,
      size: left(grant),
      expires: grant.expires,
      kind: 1,
      priority: grant.priority,
      order: grant.order,
    })),
  ].toSorted((a, b) => a.expires - b.expires || a.kind - b.kind || a.priority - b.priority || a.order - b.order)
  const fixed = grants.filter((grant) => grant.closed).reduce((sum, grant) => sum + (grant.spent.get(month) ?? 0), 0)
  let rest = Math.max(0, (totals.get(month) ?? 0) - fixed)
  const gave = new Map<Grant, number>()
  for (const { grant, size } of buckets) {
    const taken = Math.min(rest, size)
    rest -= taken
    if (grant) gave.set(grant, taken)
  }
  return gave
}

/** The limit of the present month, grants included. */
export function limitOf({ at, limit, grants }: Reference): number | null {
  if (limit === null) return null
  const month = monthOf(at)
  return grants.reduce((sum, grant) => {
    const earlier = [...grant.spent].filter(([in_]) => in_ < month).reduce((all, [, spent]) => all + spent, 0)
    return sum + (grant.closed ? (grant.spent.get(month) ?? 0) : grant.amount - earlier)
  }, limit)
}

/** The organization's state. */
export function stateOf(reference: Reference): string {
  const { at, totals, act } = reference
  return standing(totals.get(monthOf(at)) ?? 0, limitOf(reference), act)
}

function standing(used: number, limit: number | null, act: Act | null): string {
  if (act?.kind === 'revoke') return 'revoked'
  const reached = limit === null ? [] : LADDER.filter(({ percent }) => used * 100 >= limit * percent)
  const forgiven = (percent: number): boolean =>
    act?.kind === 'exempt' || (act?.kind === 'restore' && Math.ceil(((limit ?? 0) * percent) / 100) <= act.used)
  const holding = reached.filter(({ state, percent }) => state === 'warned' || !forgiven(percent)).at(-1)?.state
  if (act?.kind === 'downgrade' && holding !== 'revoked') return 'downgraded'
  return holding ?? (reached.length > 0 ? 'warned' : 'active')
}

/** The state of the organization's one user, who used all of it. */
export function userStateOf({ at, totals, userLimit, userDefault, userAct }: Reference): string {
  return standing(totals.get(monthOf(at)) ?? 0, userLimit === undefined ? userDefault : userLimit, userAct)
}

/** Days as ms. */
export const days = (count: number): number => Math.round(count * DAY)
