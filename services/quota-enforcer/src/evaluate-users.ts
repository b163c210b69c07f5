import type { EvaluationReason } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { forEachBounded } from './for-each-bounded.ts'
import { judgePosition } from './read-position.ts'
import { type EvaluateDependencies, reportUnreadable, tell } from './tell.ts'
import { toUserDecision } from './to-decision.ts'

const PAGE_ROWS = 500
// More of one organization would keep the others waiting; the rest stays due.
const MAX_PAGES = 20
const CONCURRENCY = 4

/**
 * Decides on the users of an organization whose limit must be looked at; says whether anything changed. One that others
 * were quicker with stays due.
 */
export async function evaluateUsers(
  dependencies: EvaluateDependencies,
  { organization_id, users_to_enroll }: RpcRow<'load_quota_position'>,
  trigger: EvaluationReason,
): Promise<boolean> {
  const { rpc } = dependencies
  if (users_to_enroll) await enrollUsers(dependencies, organization_id)
  let changed = false
  const work = async (row: RpcRow<'load_user_positions'>) => {
    changed = (await evaluateUser(dependencies, row, trigger)) || changed
  }
  for (let page = 0; page < MAX_PAGES; page++) {
    const rows = await rpc('load_user_positions', { for_organization: organization_id, max_rows: PAGE_ROWS })
    await forEachBounded(rows, CONCURRENCY, work)
    if (rows.length < PAGE_ROWS) break
  }
  return changed
}

/** Has everybody looked at on whom a default falls that was set; goes on with the next evaluation where it has to wait. */
async function enrollUsers({ rpc }: EvaluateDependencies, organizationId: string): Promise<void> {
  for (let more = true; more; ) {
    const [enrolled] = await rpc('enroll_users', { for_organization: organizationId })
    more = enrolled?.more ?? false
  }
}

async function evaluateUser(
  dependencies: EvaluateDependencies,
  row: RpcRow<'load_user_positions'>,
  trigger: EvaluationReason,
): Promise<boolean> {
  const verdict = judgePosition(row, reportUnreadable(dependencies, row.organization_id))
  const decision = toUserDecision(row, verdict, trigger)
  const [applied] = await dependencies.rpc('apply_user_enforcement', { decision })
  if (applied === undefined) throw new TypeError('apply_user_enforcement gave no row')
  await tell(dependencies, row, applied)
  return applied.changed
}
