import type { Enforcement, EnforcementState, ReducedConfig } from '../../contracts/index.ts'

/** All that a quota decision needs (`load_quota_position`); amounts are LLM tokens of the current period. */
export interface QuotaPositionRow {
  organization_id: string
  time_zone: string
  period_start: string
  period_end: string
  limit_tokens: string | null
  policy: unknown
  policy_version: string
  inputs_key: string
  used_tokens: string
  reserved_tokens: string
  state: EnforcementState
  version: string
  revision: string | null
  reason: string | null
  decision_id: string | null
  state_period_start: string | null
  reduced_config: ReducedConfig | null
  as_of: string
}

/** An enforcement state as the database hands it over; `version` is bigint text. */
export type EnforcementRow = Omit<Enforcement, 'version'> & { version: string }

/** What `apply_enforcement` takes; see the header of its SQL file. */
export interface EnforcementDecision {
  organization_id: string
  expected_revision: string | null
  state: EnforcementState
  reason: string
  actor: string
  period_start: string
  period_end: string
  reduced_config: ReducedConfig | null
  inputs_key: string
  evaluate_at: string | null
  inputs: Record<string, unknown>
}

interface QuotaSetting {
  organization_id: string
  limit: number | null
  policy?: unknown // absent: the ladder stays as it is
  actor: string
  only_lower: boolean
}

/** Limits, decisions and enforcement. */
export type QuotaFunctions = {
  load_quota_position: { args: { for_organization: string }; row: QuotaPositionRow }
  set_quota: {
    args: { change: QuotaSetting }
    row: { changed: boolean; limit_tokens: string | null; version: string | null }
  }
  list_due_evaluations: { args: { max_rows: number }; row: { organization_id: string; reason: string } }
  apply_enforcement: {
    args: { decision: EnforcementDecision }
    row: EnforcementRow & { applied: boolean; changed: boolean; again: boolean }
  }
  list_enforcement: { args: Record<never, never>; row: EnforcementRow }
}
