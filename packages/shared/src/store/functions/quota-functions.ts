import type { Enforcement, EnforcementState, QuotaPolicy, ReducedConfig } from '../../contracts/index.ts'

/** What somebody ordered by hand for an organization or a user, as the database hands it over. */
export interface ManualActRow {
  act: 'revoke' | 'downgrade' | 'exempt' | 'restore'
  until: string | null
  used_tokens: string
  cost_usd: string
  actor: string
  decision_id: string
}

/** What positions of organizations and of users have in common; amounts are of the current period. */
interface PositionRow {
  organization_id: string
  period_start: string
  period_end: string
  limit_tokens: string | null
  policy: unknown
  policy_version: string
  reduced_configs: unknown
  mode: EnforcementMode
  inputs_key: string
  used_tokens: string
  reserved_tokens: string
  cost_usd: string
  counted_at: string | null // when usage was last added; null: never in this period
  state: EnforcementState
  version: string
  revision: string | null
  reached: Record<string, number>
  as_of: string
}

/** Whether decisions take effect or are recorded alone. */
export type EnforcementMode = 'enforce' | 'observe'

/** All that a quota decision needs (`load_quota_position`). */
export interface QuotaPositionRow extends PositionRow {
  time_zone: string
  base_limit_tokens: string | null
  granted_tokens: string
  manual_act: ManualActRow | null
  grants_due: boolean
  next_expiry: string | null
  unpriced_events: string
  reason: string | null
  decision_id: string | null
  state_period_start: string | null
  reduced_config: ReducedConfig | null
  observed: unknown
  has_user_limits: boolean
  users_to_enroll: 'all' | 'joined' | 'none'
}

/** All that a decision on a user needs (`load_user_positions`). */
export interface UserPositionRow extends PositionRow {
  user_id: string
  manual_act: ManualActRow | null
  shared_key: string
  changes: string
  from_date: string
  to_date: string
  cursor: string
}

/** An enforcement state as the database hands it over; `version` and `epoch` are bigint text. */
export type EnforcementRow = Omit<Enforcement, 'version' | 'epoch'> & { version: string; epoch: string }

/** What `apply_enforcement` and `apply_user_enforcement` have in common; see the headers of their SQL files. */
interface DecisionArgs {
  organization_id: string
  expected_revision: string | null
  state: EnforcementState
  reason: string
  actor: string
  period_start: string
  period_end: string
  due_at?: string | null // absent, as null: time alone changes nothing before the period ends
  lapses?: boolean // absent, as false: what is taken away is not given back by the end of the period alone
  reduced_config: ReducedConfig | null
  observed?: unknown // absent, as null: nothing is withheld
  reached?: Readonly<Record<string, number>> // absent: no grace runs
  inputs_key: string
  evaluate_at: string | null
  // Absent, as null: no total downwards and no cost changes anything.
  evaluate_below?: string | null
  evaluate_at_usd?: string | null
  evaluate_below_usd?: string | null
  inputs: Record<string, unknown>
  at?: string // absent: the database's present
}

/** What `apply_enforcement` takes. */
export interface EnforcementDecision extends DecisionArgs {
  base_limit_tokens?: string | null // absent, as null: unlimited
}

/** What `apply_user_enforcement` takes. */
export interface UserEnforcementDecision extends DecisionArgs {
  user_id: string
  from_date: string
  to_date: string
  shared_key: string
  seen_changes: string
}

/** What became of an order; `over`: it would have ended already. */
type OrderRow =
  | { refusal: null; decision_id: string; until: string | null }
  | { refusal: 'over'; decision_id: null; until: null }

interface QuotaSetting {
  organization_id: string
  limit?: number | null | undefined // absent: the limit stays as it is
  policy?: unknown // absent: likewise the ladder
  period?: { time_zone: string; anchor_day: number } // absent: likewise
  mode?: EnforcementMode | null // absent: likewise; null: the installation's
  policy_version?: number | undefined // that the change was made from; absent: whichever
  follow_plan?: boolean // absent: what is own stays
  actor: string
  only_lower: boolean
}

/** What holds for the whole installation, as the database hands it over. */
export interface EnforcementControlRow {
  paused: boolean
  mode: EnforcementMode
  epoch: string
  version_floor: string
  revision: string
  decision_id: string | null
}

/** A decision as it is on record. */
export interface DecisionRow {
  id: string
  seq: string
  user_id: string | null
  kind: 'change' | 'act'
  decided_at: string
  effective_at: string | null // null: as it was decided
  from_state: string
  to_state: string
  version: string
  reason: string
  observed: unknown
  actor: string
  inputs: Record<string, unknown>
}

/** What a plan says to organizations without a limit or ladder of their own. */
interface PlanRow {
  plan_type: string
  limit_tokens: string | null // null: unlimited, or nothing is said
  policy: unknown // null: the default ladder
  organizations: number
}

interface EnforcementOrderArgs {
  organization_id: string
  action: ManualActRow['act'] | 'clear'
  until?: string | undefined // absent: until it is taken back, or `restore` until the period ends
  reason: string
  actor: string
  at?: string
  decision_id?: string // of the order: repeated with it, the order changes nothing
}

// `at`, where a function takes it, defaults to the database's present.

/** Limits, decisions and enforcement. */
export type QuotaFunctions = {
  load_quota_position: { args: { for_organization: string; at?: string }; row: QuotaPositionRow }
  load_user_positions: {
    args: { for_organization: string; at?: string; max_rows?: number; after?: string | undefined }
    row: UserPositionRow
  }
  set_quota: {
    args: { change: QuotaSetting }
    row: {
      changed: boolean
      refusal: 'only_lower' | 'policy_version' | null
      limit_tokens: string | null
      version: string
    }
  }
  set_plan: {
    args: {
      change: {
        plan_type: string
        limit?: number | null // absent: as it is; null: unlimited
        policy?: QuotaPolicy | null // absent: as it is; null: the default ladder
        is_new: boolean // true: also a plan that nobody has
        actor: string
      }
    }
    row: PlanRow
  }
  list_plans: { args: Record<never, never>; row: PlanRow }
  list_due_evaluations: {
    args: { max_rows: number; at?: string; after?: string | undefined }
    row: { organization_id: string; reason: string }
  }
  next_due_evaluation: { args: { at?: string }; row: { wait_ms: number | null } }
  apply_enforcement: {
    args: { decision: EnforcementDecision }
    row: EnforcementRow & { applied: boolean; changed: boolean; again: boolean }
  }
  apply_user_enforcement: {
    args: { decision: UserEnforcementDecision }
    row: EnforcementRow & { applied: boolean; changed: boolean; waits: boolean }
  }
  list_enforcement: { args: Record<never, never>; row: EnforcementRow }
  load_enforcement_control: { args: Record<never, never>; row: EnforcementControlRow & { last_revision: string } }
  set_enforcement_control: {
    args: { change: { paused?: boolean; mode?: EnforcementMode; actor: string; reason: string } }
    row: EnforcementControlRow & { changed: boolean }
  }
  begin_epoch: {
    args: { seen: { epoch: string; seen_epoch: string; seen_revision: string; actor: string; reason: string } }
    row: { begun: boolean; epoch: string }
  }
  find_enforcement: {
    args: { for_organization: string }
    row: QuotaFunctions['list_enforcement']['row'] & { settled: boolean; deaf_ms: number }
  }
  find_user_enforcement: {
    args: { for_organization: string; for_user: string }
    row: QuotaFunctions['find_enforcement']['row']
  }
  order_enforcement: {
    args: { enforcement_order: EnforcementOrderArgs }
    row: OrderRow
  }
  order_user_enforcement: {
    args: { enforcement_order: EnforcementOrderArgs & { user_id: string } }
    row: OrderRow
  }
  list_decisions: {
    args: {
      query: {
        organization_id: string
        id?: string
        user_id?: string | undefined
        before?: string | undefined
        max_rows: number
      }
    }
    row: DecisionRow
  }
  load_past: { args: { query: { organization_id: string; from: string; to: string } }; row: { past: unknown } }
}
