import type { EvaluationReason } from '@tollgate/shared/contracts'
import { fromPicodollars } from '@tollgate/shared/quota'
import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import type { PositionVerdict } from './read-position.ts'

type PositionRow = RpcRow<'load_quota_position'>
type UserPositionRow = RpcRow<'load_user_positions'>
type Decision = RpcArgs<'apply_enforcement'>['decision']

const MAX_BIGINT = 2n ** 63n - 1n
const SELF = 'quota-enforcer'

/** A verdict on an organization, what it was made from, and the revision it was made upon. */
export function toDecision(row: PositionRow, verdict: PositionVerdict, trigger: EvaluationReason): Decision {
  return {
    ...fromVerdict(row, verdict),
    due_at: earliest(toInstant(verdict.due_at), row.next_expiry),
    base_limit_tokens: row.base_limit_tokens,
    inputs: {
      ...inputsOf(row, verdict, trigger),
      base_limit_tokens: row.base_limit_tokens,
      granted_tokens: row.granted_tokens,
      unpriced_events: row.unpriced_events,
    },
  }
}

/** The same for a user with a limit of its own. */
export function toUserDecision(
  row: UserPositionRow,
  verdict: PositionVerdict,
  trigger: EvaluationReason,
): RpcArgs<'apply_user_enforcement'>['decision'] {
  return {
    ...fromVerdict(row, verdict),
    user_id: row.user_id,
    due_at: toInstant(verdict.due_at),
    from_date: row.from_date,
    to_date: row.to_date,
    shared_key: row.shared_key,
    seen_changes: row.changes,
    inputs: inputsOf(row, verdict, trigger),
  }
}

function fromVerdict(row: PositionRow | UserPositionRow, verdict: PositionVerdict) {
  const isByHand =
    verdict.reason.startsWith('manual_') || ['exempt', 'restored'].includes(verdict.observed?.because ?? '')
  return {
    organization_id: row.organization_id,
    actor: row.manual_act !== null && isByHand ? row.manual_act.actor : SELF,
    expected_revision: row.revision,
    state: verdict.state,
    reason: verdict.reason,
    period_start: row.period_start,
    period_end: row.period_end,
    lapses: verdict.lapses,
    reduced_config: verdict.reduced_config,
    observed: verdict.observed && { ...verdict.observed, until: toInstant(verdict.observed.until) },
    reached: verdict.reached,
    inputs_key: row.inputs_key,
    // A total beyond bigint is never reached, and the column could not hold it.
    evaluate_at: verdict.evaluate_at === null || verdict.evaluate_at > MAX_BIGINT ? null : `${verdict.evaluate_at}`,
    evaluate_below: verdict.evaluate_below === null ? null : `${verdict.evaluate_below}`,
    evaluate_at_usd: verdict.evaluate_at_cost === null ? null : fromPicodollars(verdict.evaluate_at_cost),
    evaluate_below_usd: verdict.evaluate_below_cost === null ? null : fromPicodollars(verdict.evaluate_below_cost),
  }
}

function inputsOf(row: PositionRow | UserPositionRow, { maxCostUsd }: PositionVerdict, trigger: EvaluationReason) {
  return {
    limit_tokens: row.limit_tokens,
    used_tokens: row.used_tokens,
    reserved_tokens: row.reserved_tokens,
    cost_usd: row.cost_usd,
    max_cost_usd: maxCostUsd,
    policy_version: row.policy_version,
    mode: row.mode,
    percent: usedPercent(row),
    // How old the figures were: when usage was last added, and when they were read.
    counted_at: row.counted_at,
    as_of: row.as_of,
    period_start: row.period_start,
    trigger,
    ...(row.manual_act && { act: row.manual_act.act, act_decision_id: row.manual_act.decision_id }),
  }
}

// Whole percent of the limit that is used, rounded down; null where there is nothing to be a part of.
function usedPercent({
  used_tokens,
  limit_tokens,
}: {
  used_tokens: string
  limit_tokens: string | null
}): number | null {
  if (limit_tokens === null || limit_tokens === '0') return null
  return Number((BigInt(used_tokens) * 100n) / BigInt(limit_tokens))
}

const toInstant = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

function earliest(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other
  return Date.parse(one) <= Date.parse(other) ? one : other
}
