/** A request for a hold, of a member of its organization. */
export interface HoldRequest {
  id: string
  organization_id: string
  user_id: string
  session_id: string
  total_tokens: number
  ttl_seconds: number
  idempotency_key?: string | undefined // only a caller that may repeat gives one
}

/** Where an organization stands; LLM tokens of its current period as bigint text, `limit_tokens: null` is unlimited. */
export interface PositionRow {
  organization_id: string
  limit_tokens: string | null
  used_tokens: string
  reserved_tokens: string
  period_start: string
  period_end: string
  as_of: string
}

/** What holds are in. */
export type HoldState = 'held' | 'committing' | 'settled' | 'released' | 'expired'

type NoPosition = { [Column in keyof Omit<PositionRow, 'organization_id'>]: null }

interface HoldAnswer {
  i: number
  organization_id: string
  remaining_tokens: string | null
  decision_id: string | null
}

/** A hold that stands, new or repeated. */
export interface HeldRow extends HoldAnswer {
  outcome: 'held'
  id: string
  total_tokens: string
  state: HoldState
  expires_at: string
}

/** A budget is too small for the request. */
export interface RefusedRow extends HoldAnswer {
  outcome: 'refused'
  refusal: {
    scope: 'organization' | 'user' | 'session'
    limit_tokens: string
    used_tokens: string
    reserved_tokens: string
  }
  retry_at: string
}

/** The organization or the user is revoked: nothing is held, whatever is left. */
export interface ClosedRow extends HoldAnswer {
  outcome: 'closed'
  refusal: { scope: 'organization' | 'user'; reason: string | null }
}

/** Nothing is held and nothing is to be said of a budget. */
export interface UnheldRow extends HoldAnswer {
  outcome: 'conflict' | 'unknown_organization'
}

/**
 * What became of a request (`reserve_tokens`). Where its organization stands after the call is told once an organization, in
 * the row of its first request; rows are in no certain order.
 */
export type HoldRow = (HeldRow | RefusedRow | ClosedRow | UnheldRow) & (PositionRow | NoPosition)

/** A usage event that settles a hold; `organization_id` is that of the key, null for the operator's. */
export interface HoldCommit {
  reservation_id: string
  strict: boolean
  organization_id: string | null
  event: unknown
}

/** Holds of LLM tokens, and where organizations stand. */
export type ReservationFunctions = {
  // `observe` absent, as false: whoever is revoked or has nothing left is refused.
  reserve_tokens: { args: { batch: { requests: HoldRequest[]; observe?: boolean } }; row: HoldRow }
  commit_reservations: {
    args: { batch: { commits: HoldCommit[] } }
    row: {
      i: number
      outcome: 'accepted' | 'late' | 'repeated' | 'unknown' | 'mismatch' | 'closed'
      state: HoldState | null
    }
  }
  release_reservations: {
    args: { batch: { releases: { id: string; organization_id: string | null }[] } }
    row: {
      i: number
      outcome: 'released' | 'closed' | 'unknown'
      state: HoldState | null
      organization_id: string | null
    }
  }
  expire_reservations: { args: { max_rows: number }; row: { expired: number; organizations: string[] } }
  prune_reservations: { args: { max_rows: number }; row: { pruned: number } }
  audit_reserved: {
    args: { after_organization: string | null; max_rows: number }
    row: { last_organization: string | null; drift_tokens: string; repaired: number }
  }
  list_positions: {
    args: { query: { organizations: string[] } | { after: string | null; max_rows: number } }
    row: PositionRow & { evaluate_at: string | null }
  }
}
