import type { EvaluationReason } from '@tollgate/shared/contracts'
import { type RpcRow, StoreError } from '@tollgate/shared/store'
import { forEachBounded } from './for-each-bounded.ts'
import { judgePosition } from './read-position.ts'
import { type EvaluateDependencies, reportUnreadable, tell } from './tell.ts'
import { toUserDecision } from './to-decision.ts'

/** Where the next evaluation of an organization goes on with its users, where the last one was not through. */
export type UserPlaces = Map<string, string>

const PAGE_ROWS = 500
// More of one organization would keep the others waiting; the rest stays due.
const MAX_PAGES = 20
const CONCURRENCY = 4
// So many that were not answered mean that Postgres is away, not that a user is odd.
const MAX_UNAVAILABLE = 10

/** What became of users: `waiting` where nothing changed and some wait for those who are recording usage. */
export type UsersOutcome = 'changed' | 'unchanged' | 'waiting'

/**
 * Decides on the users of an organization whose limit must be looked at. One that fails, or
 * that others were quicker with, stays due and holds up nobody: whoever comes after it is looked at first, by this evaluation
 * or the next, which goes on where this one ended. Rejects when Postgres is away.
 */
export async function evaluateUsers(
  dependencies: EvaluateDependencies,
  { organization_id, users_to_enroll }: RpcRow<'load_quota_position'>,
  trigger: EvaluationReason,
  places: UserPlaces,
): Promise<UsersOutcome> {
  // Who joins is no matter of usage: that gives whoever it is of a row by itself.
  const enrolls = users_to_enroll === 'all' || (users_to_enroll === 'joined' && trigger !== 'usage')
  let waits = enrolls && (await enrollUsers(dependencies, organization_id))
  let changed = false
  let unavailable = 0
  const work = async (row: RpcRow<'load_user_positions'>) => {
    try {
      const applied = await evaluateUser(dependencies, row, trigger)
      changed ||= applied.changed
      waits ||= applied.waits
    } catch (error) {
      reportFailure(dependencies, row, error)
      if (error instanceof StoreError && error.code === 'unavailable' && ++unavailable >= MAX_UNAVAILABLE) throw error
    }
  }
  const began = places.get(organization_id)
  let after = began
  for (let page = 0, isAnew = began === undefined; page < MAX_PAGES; page++) {
    const wanted = { for_organization: organization_id, max_rows: PAGE_ROWS, after }
    const rows = await dependencies.rpc('load_user_positions', wanted)
    await forEachBounded(rows, CONCURRENCY, work)
    after = rows.length < PAGE_ROWS ? undefined : rows.at(-1)?.cursor
    if (after === undefined && isAnew) break
    isAnew ||= after === undefined
  }
  if (after === undefined) places.delete(organization_id)
  else places.set(organization_id, after)
  if (changed) return 'changed'
  return waits ? 'waiting' : 'unchanged'
}

/**
 * Has users looked at on whom the default falls; goes on with the next evaluation where there are many, or where it has to
 * wait for those who are recording usage. Says whether it has to.
 */
async function enrollUsers({ rpc }: EvaluateDependencies, organizationId: string): Promise<boolean> {
  for (let page = 0; page < MAX_PAGES; page++) {
    const [enrolled] = await rpc('enroll_users', { for_organization: organizationId })
    if (!enrolled?.more) return enrolled?.done === false
  }
  return false
}

function reportFailure(
  { metrics, logger }: EvaluateDependencies,
  { organization_id, user_id }: RpcRow<'load_user_positions'>,
  error: unknown,
): void {
  metrics.evaluations.inc({ outcome: 'failed' })
  logger.warn({ err: error, organization_id, user_id }, 'evaluation of a user failed; it stays due')
}

async function evaluateUser(
  dependencies: EvaluateDependencies,
  row: RpcRow<'load_user_positions'>,
  trigger: EvaluationReason,
): Promise<RpcRow<'apply_user_enforcement'>> {
  const verdict = judgePosition(row, reportUnreadable(dependencies, row.organization_id))
  const decision = toUserDecision(row, verdict, trigger)
  const [applied] = await dependencies.rpc('apply_user_enforcement', { decision })
  if (applied === undefined) throw new TypeError('apply_user_enforcement gave no row')
  await tell(dependencies, row, applied)
  return applied
}
