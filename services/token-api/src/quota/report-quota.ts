import type { QuotaReport } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { toUtc } from './to-utc.ts'

/** The quota position of a row as the API shows it; amounts are LLM tokens, never below zero. */
export function reportQuota(row: RpcRow<'load_quota_position'>): QuotaReport {
  const [used, reserved] = [Number(row.used_tokens), Number(row.reserved_tokens)]
  const limit = row.limit_tokens === null ? null : Number(row.limit_tokens)
  return {
    period: { start: toUtc(row.period_start), end: toUtc(row.period_end), time_zone: row.time_zone },
    limit,
    used,
    reserved,
    remaining: limit === null ? null : Math.max(0, limit - used - reserved),
    state: row.state,
    version: Number(row.version),
    reason: row.reason,
    decision_id: row.decision_id,
    as_of: toUtc(row.as_of),
    granted: Number(row.granted_tokens),
    cost_usd: row.cost_usd,
    mode: row.mode,
  }
}
