import type { Enforcement } from '@tollgate/shared/contracts'
import type { Logger } from '@tollgate/shared/logging'
import type { Rpc, RpcRow } from '@tollgate/shared/store'
import type { EnforcerMetrics } from './metrics.ts'
import { toEnforcement } from './publish.ts'

/** What an evaluation needs. */
export interface EvaluateDependencies {
  readonly rpc: Rpc
  /** Announces a state that was put into force; never rejects, since Postgres holds it already. */
  readonly announce: (state: Enforcement) => Promise<void>
  readonly metrics: Pick<EnforcerMetrics, 'decisions' | 'evaluations' | 'evaluationSeconds' | 'unreadablePolicies'>
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** Tells of a stored policy that cannot be read; for `judgePosition`. */
export function reportUnreadable({ metrics, logger }: EvaluateDependencies, organizationId: string) {
  return () => {
    metrics.unreadablePolicies.inc()
    logger.error({ organization_id: organizationId }, 'stored quota policy is unreadable; the default ladder holds')
  }
}

/** Counts, logs and announces what was put into force, where anything changed. */
export async function tell(
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
