/** Who asks, and for which page; an absent field is no condition. Days are the organization's, `end` exclusive. */
interface ReportQuery {
  organization_id: string
  start: string
  end: string
  user_id?: string | undefined
  /** Null: sees the whole organization; else the own rows alone. */
  viewer_user_id: string | null
  /** The cursor of the last row of the page before. */
  after?: string | undefined
}

/** A usage report (`list_usage`). */
interface UsageReportQuery extends ReportQuery {
  bucket: string
  group_by: string[]
  model?: string | undefined
  max_rows: number
}

/** A row of it; counts and money are text. */
interface UsageReportRow {
  bucket: string | null
  model: string | null
  user_id: string | null
  user_name: string | null
  token_kind: string | null
  tokens_used: string
  input_tokens: string | null
  output_tokens: string | null
  cache_read_input_tokens: string | null
  cache_creation_input_tokens: string | null
  reasoning_output_tokens: string | null
  cost_usd: string | null
  charge_usd: string | null
  message_count: string
  event_count: string
  unpriced_events: string
  cursor: string
}

/** A chat session as reports show it; counts and money are text. */
interface ChatSessionRow {
  librechat_session_id: string
  user_id: string
  user_name: string | null
  model_used: string | null
  status: string
  started_at: string
  last_activity_at: string
  ended_at: string | null
  end_reason: string | null
  message_count: string
  tokens_used: string
  cost_usd: string | null
  unpriced_events: string
  cursor: string
}

/** Reports for other dashboards; their SQL lies in infra/supabase/schemas/45-reports. */
export type ReportFunctions = {
  list_usage: { args: { query: UsageReportQuery }; row: UsageReportRow }
  list_chat_sessions: {
    args: { query: ReportQuery & { status?: string | undefined; limit: number } }
    row: ChatSessionRow
  }
}
