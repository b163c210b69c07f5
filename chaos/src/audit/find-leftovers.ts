import type { Finding, Queryable } from './finding.ts'

const LEFTOVERS = `select
  (select count(*) from tollgate.reservations where state in ('held', 'committing'))::int as "open holds",
  (select count(*) from tollgate.reserved_totals where reserved_tokens <> 0)::int as "organizations with LLM tokens held",
  (select count(*) from tollgate.event_inbox)::int as "rows in the inbox",
  (select count(*) from tollgate.dead_letters)::int as "dead letters",
  (select count(*) from tollgate.pending_corrections)::int as "corrections that wait"`

/** Nothing is held, nothing waits, nothing was buried. */
export async function findLeftovers(db: Queryable): Promise<Finding> {
  const { rows } = await db.query<Record<string, number>>(LEFTOVERS)
  const counts = Object.entries(rows[0] ?? {})
  const faults = counts.flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]))
  return { audit: 'nothing is left over', faults, looked: counts.map(([what]) => what).join(', ') }
}
