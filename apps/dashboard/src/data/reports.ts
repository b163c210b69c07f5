/** The rows of the report functions (infra/supabase/schemas/45-reports); counts and money are text, null is unknown. */
export interface Me {
  user_id: string
  email: string
  user_name: string
  role: 'user' | 'admin' | 'super_admin'
  organization_id: string | null
  organization_name: string | null
  plan_type: string | null
}

/** One organization of the list that super_admin sees. */
export interface OrganizationRow {
  organization_id: string
  name: string
  domain: string
  plan_type: string
  state: string
  used_tokens: string
  limit_tokens: string | null
  cost_usd: string | null
  unpriced_events: string
}

/** One bucket and group of a usage report. */
export interface UsageRow {
  bucket: string | null
  model: string | null
  user_id: string | null
  user_name: string | null
  token_kind: string | null
  tokens_used: string
  input_tokens: string | null
  output_tokens: string | null
  cost_usd: string | null
  charge_usd: string | null
  message_count: string
  event_count: string
  unpriced_events: string
}

/** Totals of a span, each with the same of the span before. */
export type SummaryRow = Record<
  `${'' | 'previous_'}${'tokens_used' | 'message_count' | 'active_users' | 'sessions' | 'unpriced_events'}`,
  string
> &
  Record<`${'' | 'previous_'}${'cost_usd' | 'charge_usd'}`, string | null>

/** One chat session. */
export interface SessionRow {
  librechat_session_id: string
  user_id: string
  user_name: string | null
  model_used: string | null
  status: string
  started_at: string
  last_activity_at: string
  message_count: string
  tokens_used: string
  cost_usd: string | null
  cursor: string
}

/** Where an organization stands in its period, and what its policy will do. */
export interface QuotaRow {
  organization_id: string
  name: string
  plan_type: string
  time_zone: string
  period_start: string
  period_end: string
  limit_tokens: string | null
  used_tokens: string
  reserved_tokens: string
  granted_tokens: string
  state: 'active' | 'warned' | 'downgraded' | 'revoked'
  reason: string | null
  decision_id: string | null
  steps: { at_tokens: string; state: string }[]
  fresh_at: string | null
  as_of: string
}

/** One change of an enforcement state. */
export interface DecisionRow {
  id: string
  decided_at: string
  user_name: string | null
  from_state: string
  to_state: string
  reason: string
  actor: string
  cursor: string
}

/** The reports by name: what each takes and gives. */
export interface Reports {
  report_me: { query: undefined; row: Me }
  report_organizations: { query: { search?: string; limit?: number }; row: OrganizationRow }
  report_usage: {
    query: {
      organization_id: string
      start: string
      end: string
      bucket: 'hour' | 'day' | 'month' | 'total'
      group_by: string[]
      user_id?: string
      model?: string
    }
    row: UsageRow
  }
  report_summary: { query: { organization_id: string; start: string; end: string; user_id?: string }; row: SummaryRow }
  report_sessions: {
    query: { organization_id: string; start: string; end: string; user_id?: string; after?: string; limit: number }
    row: SessionRow
  }
  report_quota: { query: { organization_id: string }; row: QuotaRow }
  report_decisions: { query: { organization_id: string; limit: number }; row: DecisionRow }
}
export type ReportName = keyof Reports
