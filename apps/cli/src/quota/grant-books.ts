/** A grant as it was given; times are epoch ms. */
export interface PastGrant {
  readonly amount: bigint
  readonly priority: number
  readonly at: number
  /** Infinity: never. */
  readonly expires: number
  /** When what was left of it was taken back; Infinity: never. */
  readonly voided: number
}

/** A period in which grants are spent. */
export interface GrantPeriod {
  readonly start: number
  readonly end: number
  /** LLM tokens that were used, and the limit without grants; null is unlimited. */
  readonly used: bigint
  readonly limit: bigint | null
}

/** What grants add to limits, and what is left of them. */
export interface GrantBooks {
  add(grant: PastGrant): void
  /** What they add to the limit of the period that begins at `start`. */
  granted(start: number): bigint
  /** Fixes what grants gave that have expired or were voided at `at`, or all of them when the period is over. */
  settle(period: GrantPeriod, at: number): void
}

interface Grant extends PastGrant {
  readonly order: number
  readonly spent: Map<number, bigint>
  closed: boolean
}

// The monthly limit is spent among the grants, as what expires with the period.
interface Bucket extends Pick<Grant, 'expires' | 'priority' | 'order'> {
  readonly grant: Grant | null
  readonly size: bigint
}

const UNLIMITED = 2n ** 63n

/** Makes empty books. Spent is what expires first, then the lowest priority, then the oldest, as settle_grants.sql does. */
export function openGrantBooks(): GrantBooks {
  const grants: Grant[] = []
  return {
    add: (grant) => void grants.push({ ...grant, order: grants.length + 1, spent: new Map(), closed: false }),
    granted: (start) =>
      sum(
        grants.map((grant) =>
          grant.closed ? (grant.spent.get(start) ?? 0n) : grant.amount - spentBefore(grant, start),
        ),
      ),
    settle: (period, at) => {
      const isOver = at >= period.end
      const gave = spread(grants, period)
      for (const grant of grants) {
        if (grant.closed || (endOf(grant) > at && !isOver)) continue
        grant.spent.set(period.start, gave.get(grant) ?? 0n)
        grant.closed = endOf(grant) <= at || sum([...grant.spent.values()]) === grant.amount
      }
    },
  }
}

/** When a grant ends by time or by hand, whatever it has left. */
export const endOf = ({ expires, voided }: Pick<PastGrant, 'expires' | 'voided'>): number => Math.min(expires, voided)

function spread(grants: readonly Grant[], { start, end, used, limit }: GrantPeriod): Map<Grant, bigint> {
  const open = grants.filter((grant) => !grant.closed)
  const buckets: Bucket[] = [
    { grant: null, size: limit ?? UNLIMITED, expires: end, priority: Number.NEGATIVE_INFINITY, order: 0 },
    ...open.map((grant) => ({ ...grant, grant, size: grant.amount - spentBefore(grant, start) })),
  ]
  buckets.sort((a, b) => compare(a.expires, b.expires) || compare(a.priority, b.priority) || a.order - b.order)
  const fixed = sum(grants.filter((grant) => grant.closed).map((grant) => grant.spent.get(start) ?? 0n))
  let rest = used > fixed ? used - fixed : 0n
  const gave = new Map<Grant, bigint>()
  for (const { grant, size } of buckets) {
    const taken = rest < size ? rest : size
    rest -= taken
    if (grant !== null) gave.set(grant, taken)
  }
  return gave
}

const spentBefore = (grant: Grant, start: number): bigint =>
  sum([...grant.spent].filter(([period]) => period < start).map(([, spent]) => spent))

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n)

// Differences of infinities are no numbers.
const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1)
