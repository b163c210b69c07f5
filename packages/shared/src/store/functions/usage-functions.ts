/** Events or letters travel inside an object: a bare JSON array does not survive every transport. */
interface EventBatch {
  events: unknown[]
}

/** For `ingest_usage`: what is usage may be written as rows (`USAGE_COLUMNS`), which come first. */
interface UsageRows {
  rows: string
  events?: unknown[]
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

/** What a transaction did with the holds that its events name (`settle_reservations`). */
export interface SettledHolds {
  settled: number
  late: number
  excess_tokens: number
}

/** A dead letter: what could not be recorded, as text. */
export interface DeadLetter {
  queue: string
  reason: string
  detail: string
  payload: string
}

/** Counting: what the usage worker and the door call. */
export type UsageFunctions = {
  ingest_usage: {
    /** Text: the JSON of the other two. */
    args: { batch: EventBatch | UsageRows | string }
    row: {
      outcomes: UsageException[]
      totals: PeriodTotal[]
      unpriced: number
      after_revocation: number
      holds: SettledHolds
    }
  }
  drain_inbox: {
    args: { max_rows: number }
    row: {
      drained: number
      recorded: number
      duplicates: number
      totals: PeriodTotal[]
      unpriced: number
      after_revocation: number
      rejected: { reason: string; event: unknown }[]
      holds: SettledHolds
      buried: number
    }
  }
  park_events: { args: { batch: string }; row: { parked: number } }
  record_dead_letters: { args: { batch: { letters: DeadLetter[] } }; row: { kept: number } }
  close_sessions: { args: { idle_seconds: number; max_rows: number }; row: { reason: string; sessions: number } }
  count_open_sessions: {
    args: { query: { organization_id: string; at?: string | undefined; user_id?: string | null | undefined } }
    row: { open: number }
  }
  ensure_usage_partitions: { args: Record<never, never>; row: { created: number; moved: string } }
}
