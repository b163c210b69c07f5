import type { Enforcement, EnforcementState, ReducedConfig, Role } from '../contracts/index.ts'

/** Events or letters travel inside an object: a bare JSON array does not survive every transport. */
interface EventBatch {
  events: unknown[]
}

/** What `ingest_usage` says of one touched period total. */
export interface PeriodTotal {
  organization_id: string
  period_start: string
  used_tokens: string
  /** The total has reached the next value that could change a decision. */
  evaluate: boolean
}

/** An event that was not simply recorded; `i` is its index in the batch. */
export type UsageException =
  | { i: number; outcome: 'duplicate'; conflict: boolean }
  | { i: number; outcome: 'rejected'; reason: string }

/** A dead letter: what could not be recorded, as text. */
export interface DeadLetter {
  queue: string
  reason: string
  detail: string
  payload: string
}

/** All that an access token says of a user (`find_login`). */
export interface LoginRow {
  user_id: string
  email: string
  full_name: string | null
  username: string | null
  avatar_url: string | null
  role: Role
  organization_id: string
  name: string
  domain: string
  plan_type: string
  librechat_config: unknown
  plan_config: unknown
  limit_tokens: string | null
  state: EnforcementState
  version: string
  reduced_config: ReducedConfig | null
  reason: string | null
  decision_id: string | null
  period_end: string | null
}

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

/**
 * The SQL functions in `public` that the services call: name → arguments and the row it returns.
 * Every function is `returns table (…)`; bigint and numeric columns are handed over as text.
 * What each does, returns and locks stands in the header of infra/supabase/schemas/40-functions/<name>.sql.
 */
export type RpcFunctions = {
  tollgate_ping: { args: Record<never, never>; row: { ok: boolean; now: string } }
  ingest_usage: {
    args: { batch: EventBatch }
    row: { outcomes: UsageException[]; totals: PeriodTotal[]; unpriced: number }
  }
  drain_inbox: {
    args: { max_rows: number }
    row: {
      drained: number
      recorded: number
      totals: PeriodTotal[]
      unpriced: number
      rejected: { reason: string; event: unknown }[]
    }
  }
  bury_inbox_head: { args: { failure: string }; row: { buried: number } }
  park_events: { args: { batch: EventBatch }; row: { parked: number } }
  record_dead_letters: { args: { batch: { letters: DeadLetter[] } }; row: { kept: number } }
  ensure_usage_partitions: { args: Record<never, never>; row: { created: number } }
  find_login: { args: { for_user: string }; row: LoginRow }
  find_members: {
    args: { users: { ids: string[] } }
    row: { user_id: string; organization_id: string | null; role: Role }
  }
  find_service_key: {
    args: { key_sha256: string }
    row: { id: string; scopes: string[]; organization_id: string | null }
  }
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

/** The name of a callable SQL function. */
export type RpcName = keyof RpcFunctions & string
/** The arguments of a SQL function. */
export type RpcArgs<F extends RpcName> = RpcFunctions[F]['args']
/** One row that a SQL function returns. */
export type RpcRow<F extends RpcName> = RpcFunctions[F]['row']

/**
 * Calls a SQL function, in a transaction of its own, and gives its rows.
 * @throws StoreError
 */
export type Rpc = <F extends RpcName>(fn: F, args: RpcArgs<F>) => Promise<RpcRow<F>[]>

/** An `Rpc` with the connections behind it. */
export interface RpcStore {
  readonly rpc: Rpc
  close(): Promise<void>
}
