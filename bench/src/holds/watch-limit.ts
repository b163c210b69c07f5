import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { BenchError } from '../bench-error.ts'

/** Where an organization's limit stands, in one snapshot. */
export interface LimitView {
  readonly usedTokens: number
  readonly heldTokens: number
  readonly openHolds: number
  /** Holds whose usage came after they had been given back. */
  readonly lateHolds: number
  readonly inboxRows: number
}

const VIEW = `select
  coalesce((select sum(used_tokens) from tollgate.period_totals where organization_id = $1), 0)::float8 as "usedTokens",
  coalesce((select reserved_tokens from tollgate.reserved_totals where organization_id = $1), 0)::float8 as "heldTokens",
  (select count(*)::int from tollgate.reservations
    where organization_id = $1 and state in ('held', 'committing')) as "openHolds",
  (select count(*)::int from tollgate.reservations where organization_id = $1 and is_late) as "lateHolds",
  (select count(*)::int from tollgate.event_inbox) as "inboxRows"`

/** Reads where a limit stands. */
async function viewLimit(db: pg.Pool, organizationId: string): Promise<LimitView> {
  const { rows } = await db.query<LimitView>(VIEW, [organizationId])
  if (rows[0] === undefined) throw new BenchError('A query without a table gave no row.')
  return rows[0]
}

/**
 * Looks ten times a second until stopped; gives by how much used + held was above the limit at worst, below zero when it
 * never was.
 */
export function watchLimit(db: pg.Pool, organizationId: string, limit: number): { stop(): Promise<number> } {
  const stopping = new AbortController()
  const watch = async (): Promise<number> => {
    let worst = Number.NEGATIVE_INFINITY
    while (!stopping.signal.aborted) {
      // A database that is away for a moment is looked at later.
      const view = await viewLimit(db, organizationId).catch(() => null)
      if (view !== null) worst = Math.max(worst, view.usedTokens + view.heldTokens - limit)
      await delay(100, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
    return worst
  }
  const watching = watch()
  return {
    stop: () => {
      stopping.abort()
      return watching
    },
  }
}

const TIMEOUT_MS = 120_000

/** Waits until nothing is held and nothing waits to be recorded. @throws BenchError after two minutes: something leaked */
export async function waitUntilNothingIsHeld(db: pg.Pool, organizationId: string): Promise<LimitView> {
  const deadlineMs = performance.now() + TIMEOUT_MS
  for (;;) {
    const view = await viewLimit(db, organizationId).catch(() => null)
    if (view?.openHolds === 0 && view.heldTokens === 0 && view.inboxRows === 0) return view
    if (performance.now() > deadlineMs) throw new BenchError(`Holds have leaked: ${JSON.stringify(view)}`)
    await delay(100)
  }
}
