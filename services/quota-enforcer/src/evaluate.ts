import type { Enforcement, EvaluationReason } from '@tollgate/shared/contracts'
import type { Logger } from '@tollgate/shared/logging'
import { decide, type QuotaVerdict, readPolicy } from '@tollgate/shared/quota'
import type { Rpc, RpcArgs, RpcRow } from '@tollgate/shared/store'
import type { EnforcerMetrics } from './metrics.ts'
import { toEnforcement } from './publish.ts'

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

type PositionRow = RpcRow<'load_quota_position'>
type Decision = RpcArgs<'apply_enforcement'>['decision']

const MAX_ROUNDS = 5
const MAX_BIGINT = 2n ** 63n - 1n

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
    const [row] = await dependencies.rpc('load_quota_position', { for_organization: organizationId })
    if (row === undefined) return 'unknown_organization'
    const applied = await putIntoForce(dependencies, row, trigger)
    changed ||= applied.changed
    if (!applied.again) return changed ? 'changed' : 'unchanged'
  }
  return 'contended'
}

async function putIntoForce(
  { rpc, announce, metrics, logger }: EvaluateDependencies,
  row: PositionRow,
  trigger: EvaluationReason,
): Promise<RpcRow<'apply_enforcement'>> {
  const policy = readPolicy(row.policy, () => {
    metrics.unreadablePolicies.inc()
    logger.error(
      { organization_id: row.organization_id },
      'stored quota policy is unreadable; the default ladder holds',
    )
  })
  const verdict = decide(
    { used: BigInt(row.used_tokens), limit: row.limit_tokens === null ? null : BigInt(row.limit_tokens) },
    policy,
  )
  const [applied] = await rpc('apply_enforcement', { decision: toDecision(row, verdict, trigger) })
  if (applied === undefined) throw new TypeError('apply_enforcement gave no row')
  if (applied.changed) {
    metrics.decisions.inc({ state: verdict.state })
    const { organization_id, state, version, reason, decision_id } = applied
    logger.info({ organization_id, from: row.state, state, version, reason, decision_id }, 'enforcement changed')
  }
  // A new revision without a new decision (next period, other limit) matters to the gates too: they know period_end.
  if (applied.applied && applied.revision !== row.revision) await announce(toEnforcement(applied))
  return applied
}

// A verdict, what it was made from, and the revision it was made upon.
function toDecision(row: PositionRow, verdict: QuotaVerdict, trigger: EvaluationReason): Decision {
  const { evaluate_at } = verdict
  return {
    organization_id: row.organization_id,
    expected_revision: row.revision,
    state: verdict.state,
    reason: verdict.reason,
    actor: 'quota-enforcer',
    period_start: row.period_start,
    period_end: row.period_end,
    reduced_config: verdict.reduced_config,
    inputs_key: row.inputs_key,
    // A total beyond bigint is never reached, and the column could not hold it.
    evaluate_at: evaluate_at === null || evaluate_at > MAX_BIGINT ? null : evaluate_at.toString(),
    inputs: {
      limit_tokens: row.limit_tokens,
      used_tokens: row.used_tokens,
      reserved_tokens: row.reserved_tokens,
      policy_version: row.policy_version,
      percent: usedPercent(row),
      as_of: row.as_of,
      period_start: row.period_start,
      trigger,
    },
  }
}

// Whole percent of the limit that is used, rounded down; null where there is nothing to be a part of.
function usedPercent({ used_tokens, limit_tokens }: PositionRow): number | null {
  if (limit_tokens === null || limit_tokens === '0') return null
  return Number((BigInt(used_tokens) * 100n) / BigInt(limit_tokens))
}
