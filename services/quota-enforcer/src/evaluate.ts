import type { EvaluationReason } from '@tollgate/shared/contracts'
import type { Rpc, RpcRow } from '@tollgate/shared/store'
import { evaluateUsers, type UserPlaces } from './evaluate-users.ts'
import { judgePosition } from './read-position.ts'
import { type EvaluateDependencies, reportUnreadable, tell } from './tell.ts'
import { toDecision } from './to-decision.ts'

/**
 * How an evaluation ended. `waiting`: nothing changed, and users stay due until those have ended who were recording usage;
 * `contended`: others kept being quicker, so it is left to the sweep.
 */
export type EvaluationOutcome = 'changed' | 'unchanged' | 'waiting' | 'unknown_organization' | 'contended'

/** Brings one organization's enforcement in line with its position. Rejects with a `StoreError`. */
export type Evaluate = (organizationId: string, trigger: EvaluationReason) => Promise<EvaluationOutcome>

const MAX_ROUNDS = 5

/** Makes `evaluate`: load, decide, apply, publish; again when the position moved meanwhile, five times at most. */
export function createEvaluate(dependencies: EvaluateDependencies): Evaluate {
  const { metrics, logger } = dependencies
  const places: UserPlaces = new Map()
  return async (organizationId, trigger) => {
    const stopTimer = metrics.evaluationSeconds.startTimer()
    try {
      const outcome = await runRounds(dependencies, organizationId, trigger, places)
      metrics.evaluations.inc({ outcome })
      if (outcome === 'unknown_organization') logger.warn({ organization_id: organizationId }, 'unknown organization')
      return outcome
    } catch (error) {
      metrics.evaluations.inc({ outcome: 'failed' })
      throw error
    } finally {
      stopTimer()
    }
  }
}

async function runRounds(
  dependencies: EvaluateDependencies,
  organizationId: string,
  trigger: EvaluationReason,
  places: UserPlaces,
): Promise<EvaluationOutcome> {
  let changed = false
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const row = await loadSettled(dependencies.rpc, organizationId)
    if (row === undefined) return 'unknown_organization'
    const applied = await putIntoForce(dependencies, row, trigger)
    changed ||= applied.changed
    if (applied.again) continue
    const users = row.has_user_limits ? await evaluateUsers(dependencies, row, trigger, places) : 'unchanged'
    return changed ? 'changed' : users
  }
  return 'contended'
}

/** The position after what grants gave has been fixed, where one has expired or a period is over. */
async function loadSettled(rpc: Rpc, organizationId: string): Promise<RpcRow<'load_quota_position'> | undefined> {
  const [row] = await rpc('load_quota_position', { for_organization: organizationId })
  if (!row?.grants_due) return row
  await rpc('settle_grants', { for_organization: organizationId })
  return (await rpc('load_quota_position', { for_organization: organizationId }))[0]
}

async function putIntoForce(
  dependencies: EvaluateDependencies,
  row: RpcRow<'load_quota_position'>,
  trigger: EvaluationReason,
): Promise<RpcRow<'apply_enforcement'>> {
  const verdict = judgePosition(row, reportUnreadable(dependencies, row.organization_id))
  const [applied] = await dependencies.rpc('apply_enforcement', { decision: toDecision(row, verdict, trigger) })
  if (applied === undefined) throw new TypeError('apply_enforcement gave no row')
  await tell(dependencies, row, applied)
  return applied
}
