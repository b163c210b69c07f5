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
  /** What a slice that goes on has told so far. */
  carried?: unknown
  /** Only days from this one on. */
  since?: string | null | undefined
  only_organization?: string | null | undefined
  repair: boolean
  budget_ms: number
}

/** A rollup row that was not the sum of the ledger; amounts are what it had too little. */
export interface BooksDrift {
  rollup:
    | 'usage_metrics'
    | 'usage_by_model'
    | 'usage_by_organization_model'
    | 'usage_by_month'
    | 'chat_sessions'
    | 'period_totals'
  organization_id: string
  /** The day, the month's first, or the period's start. */
  at: string
  user_id?: string
  model?: string
  session_id?: string
  tokens_off: string
  cost_off: string
}

/** A closed period; figures are null when it is not closed. */
interface StatementFigures {
  organization_id: string
  period_start: string
  period_end: string
  used_tokens: string | null
  cost_usd: string | null
  charge_usd: string | null
  event_count: string | null
  unpriced_events: string | null
}

/** An operator's price, US dollars per million LLM tokens as text. */
/** A markup that is set. */
interface MarkupRow {
  scope: 'plan' | 'organization'
  target: string // the plan, or the organization's id
  name: string | null
  markup_percent: string | null // null: it was taken away
}

interface PriceSetting {
  provider: string
  model: string
  valid_from?: string | undefined // absent: always
  valid_to?: string | undefined // absent: for ever
  min_input_tokens?: string | undefined // absent: for calls of any length
  input: string
  output: string
  cache_read?: string | undefined // absent: as input
  cache_creation?: string | undefined // absent: as input
  reasoning?: string | undefined // absent: as output
}

interface PriceRow {
  provider: string
  model: string
  origin: string
  valid_from: string
  valid_to: string
  min_input_tokens: string
  input: string
  output: string
  cache_read: string | null
  cache_creation: string | null
  reasoning: string | null
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
  list_rerate_days: {
    args: {
      from_date: string
      to_date: string
      only_model?: string | undefined
      only_organization?: string | undefined
    }
    row: { organization_id: string; date: string; entries: number }
  }
  rerate_usage: {
    args: {
      request: {
        organization_id: string
        date: string
        bucket: number
        buckets: number
        model?: string | undefined
        dry_run: boolean
      }
    }
    row: { model: string; events: number; newly_priced: number; cost_difference: string; charge_difference: string }
  }
  close_period: {
    args: { request: { organization_id: string; at: string; closed_by: string } }
    row: StatementFigures & { outcome: 'closed' | 'already_closed' | 'not_over' | 'no_usage' }
  }
  complete_statements: { args: { for_organization: string }; row: { completed: number } }
  list_statements: {
    args: { for_organization?: string | undefined }
    row: StatementFigures & { time_zone: string; closed_at: string; closed_by: string; lines: unknown }
  }
  set_markup: {
    args: {
      change: {
        organization_id?: string | undefined // or plan_type
        plan_type?: string | undefined
        percent: string | null // null: an organization as its plan, a plan none
        actor: string
      }
    }
    row: MarkupRow
  }
  list_markups: { args: Record<never, never>; row: MarkupRow }
  set_price: { args: { price: PriceSetting }; row: { id: string } }
  list_prices: { args: { search?: string | undefined }; row: PriceRow }
  list_usage_days: {
    args: { from_date: string; to_date: string; only_organization?: string | undefined }
    row: { organization_id: string; date: string }
  }
  export_ledger: {
    args: { page: { organization_id: string; date: string; after: unknown; max_rows: number } }
    row: { line: Record<string, unknown>; here: unknown }
  }
  export_rollups: { args: { page: { organization_id: string; date: string } }; row: { line: Record<string, unknown> } }
  import_usage: {
    args: { batch: { events: unknown[]; dry_run: boolean } }
    row: {
      recorded: number
      duplicates: number
      conflicts: number
      unpriced: number
      rejected: { i: number; reason: string }[]
    }
  }
  erase_user: {
    args: { request: { user_id: string; actor: string } }
    row: { pseudonym: string | null; entries: number; days: number; sessions: number; logins: number }
  }
}
