import type { Enforcement, EvaluationReason } from '@tollgate/shared/contracts'
import type { Logger } from '@tollgate/shared/logging'
import type { Rpc, RpcRow } from '@tollgate/shared/store'
import type { EnforcerMetrics } from './metrics.ts'
import { toEnforcement } from './publish.ts'
import { judgePosition } from './read-position.ts'
import { toDecision, toUserDecision } from './to-decision.ts'

/** How an evaluation ended; `contended`: others kept being quicker, so it is left to the sweep. */
export type EvaluationOutcome = 'changed' | 'unchanged' | 'unknown_organization' | 'contended'

/** Brings one organization's enforcement in line with its position. Rejects with a `StoreError`. */
export type Evaluate = (organizationId: string, trigger: EvaluationReason) => Promise<EvaluationOutcome>

/** What an evaluation needs. */
export interface EvaluateDependencies {
  readonly rpc: Rpc
  /** Announces a state that was put into force; never rejects, since Postgres holds it already. */
  readonly announce: (state: Enforcement) => Promise<void>
  readonly metrics: Pick<EnforcerMetrics, 'decisions' | 'evaluations' | 'evaluationSeconds' | 'unreadablePolicies'>
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
}

const MAX_ROUNDS = 5

/** Makes `evaluate`: load, decide, apply, publish; again when the position moved meanwhile, five times at most. */
export function createEvaluate(dependencies: EvaluateDependencies): Evaluate {
  const { metrics, logger } = dependencies
  return async (organizationId, trigger) => {
    const stopTimer = metrics.evaluationSeconds.startTimer()
    try {
      const outcome = await runRounds(dependencies, organizationId, trigger)
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
): Promise<EvaluationOutcome> {
  let changed = false
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const row = await loadSettled(dependencies.rpc, organizationId)
    if (row === undefined) return 'unknown_organization'
    const applied = await putIntoForce(dependencies, row, trigger)
    changed ||= applied.changed
    if (applied.again) continue
    const users = row.has_user_limits ? await evaluateUsers(dependencies, organizationId, trigger) : false
    return changed || users ? 'changed' : 'unchanged'
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

/** Decides on the users whose own limit must be looked at. One that others were quicker with stays due. */
async function evaluateUsers(
  dependencies: EvaluateDependencies,
  organizationId: string,
  trigger: EvaluationReason,
): Promise<boolean> {
  let changed = false
  for (const row of await dependencies.rpc('load_user_positions', { for_organization: organizationId })) {
    const verdict = judgePosition(row, reportUnreadable(dependencies, organizationId))
    const decision = toUserDecision(row, verdict, trigger)
    const [applied] = await dependencies.rpc('apply_user_enforcement', { decision })
    if (applied === undefined) throw new TypeError('apply_user_enforcement gave no row')
    changed ||= applied.changed
    await tell(dependencies, row, applied)
  }
  return changed
}

function reportUnreadable({ metrics, logger }: EvaluateDependencies, organizationId: string) {
  return () => {
    metrics.unreadablePolicies.inc()
    logger.error({ organization_id: organizationId }, 'stored quota policy is unreadable; the default ladder holds')
  }
}

async function tell(
  { announce, metrics, logger }: EvaluateDependencies,
  before: { state: string; revision: string | null },
  applied: RpcRow<'list_enforcement'> & { applied: boolean; changed: boolean },
): Promise<void> {
  if (applied.changed) {
    metrics.decisions.inc({ state: applied.state })
    const { organization_id, user_id, state, version, reason, decision_id } = applied
    const what = { organization_id, user_id, from: before.state, state, version, reason, decision_id }
    logger.info(what, 'enforcement changed')
  }
  // A new revision without a new decision (next period, other limit) matters to the gates too: they know period_end.
  if (applied.applied && applied.revision !== before.revision) await announce(toEnforcement(applied))
}
