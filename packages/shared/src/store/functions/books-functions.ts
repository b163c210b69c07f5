/** Which dead letters are meant; what is absent does not restrict. */
export interface DeadLetterSelection {
  ids?: string[] | undefined
  queue?: string | undefined
  reason?: string | undefined
}

/** Where a reconcile call starts and what it does; `resume` of the last answer, or the first call's wishes. */
export interface BooksScan {
  stage?: string | null
  organization_id?: string | null
  at?: string | null
  /** Only days from this one on. */
  since?: string | null | undefined
  only_organization?: string | null | undefined
  repair: boolean
  budget_ms: number
}

/** A rollup row that was not the sum of the ledger; amounts are what it had too little. */
export interface BooksDrift {
  rollup: 'usage_metrics' | 'usage_by_model' | 'chat_sessions' | 'period_totals'
  organization_id: string
  /** The day, or the period's start. */
  at: string
  user_id?: string
  model?: string
  session_id?: string
  tokens_off: string
  cost_off: string
}

/** The operator's side of the books. */
export type BooksFunctions = {
  reconcile_books: {
    args: { scan: BooksScan }
    row: { resume: BooksScan | null; slices: number; drift: BooksDrift[]; busy: boolean }
  }
  count_slices: {
    args: { only_organization?: string | undefined; since?: string | undefined }
    row: { slices: number }
  }
  seal_usage_partition: {
    args: { retention_days: number }
    row: { partition: string; entries: string; total_tokens: string }
  }
  prune_identities: { args: { retention_days: number; max_rows: number }; row: { pruned: number } }
  list_dead_letters: {
    args: { selection: DeadLetterSelection; max_rows: number }
    row: {
      id: string
      queue: string
      reason: string
      detail: string | null
      created_at: string
      events: number | null
      payload: string
    }
  }
  replay_dead_letters: {
    args: { selection: DeadLetterSelection }
    row: { replayed: number; events: number; unreadable: string[] }
  }
  drop_dead_letters: { args: { selection: DeadLetterSelection }; row: { dropped: number } }
}
