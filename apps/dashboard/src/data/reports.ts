import type { QuotaPolicy } from '@tollgate/shared/contracts'

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
  cursor: string
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
  ended_at: string | null
  message_count: string
  tokens_used: string
  cost_usd: string | null
  unpriced_events: string
  cursor: string
}

/** A step of a ladder as an amount of one measure; that of the other is null. */
export interface StepRow {
  at_tokens: string | null
  at_usd: string | null
  state: 'warned' | 'downgraded' | 'revoked'
  mode: 'hard' | 'soft'
  grace_seconds: number
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
  cost_usd: string
  mode: 'enforce' | 'observe'
  steps: StepRow[]
  /** Null: the default one. */
  policy: QuotaPolicy | null
  /** Of the organization's own limit and ladder; '0': none was set. */
  policy_version: string
  /** What somebody ordered by hand; `until` null: until it is taken back. */
  manual_act: { act: 'revoke' | 'downgrade' | 'exempt' | 'restore'; until: string | null } | null
  /** What holds for each user without an own limit; null to whoever may not see the whole organization. */
  user_default: UserDefault | null
  fresh_at: string | null
  as_of: string
}

/** The limit of an organization's users who have no own one; `policy` null: the default ladder. */
export interface UserDefault {
  limit_tokens: string | null
  policy: QuotaPolicy | null
  /** Of limit and ladder, as a change takes it back; '0': never set. */
  version: string
}

/** One change of an enforcement state, or one order by hand, with what it was decided from. */
export interface DecisionRow {
  id: string
  decided_at: string
  /** Earlier than decided, where what was taken away before had lapsed with its period; null: as it was decided. */
  effective_at: string | null
  kind: 'change' | 'act'
  /** Null: the organization itself. */
  user_id: string | null
  user_name: string | null
  from_state: string
  to_state: string
  reason: string
  actor: string
  actor_name: string | null
  /** What a step would have done that has no effect; null: nothing. */
  withheld: { state: string; reason: string; because: string; until: string | null } | null
  /** What it was made from; older ones and orders by hand know less. */
  inputs: Readonly<Record<string, unknown>>
  cursor: string
}

/** One grant of LLM tokens on top of the monthly limit. */
export interface GrantRow {
  id: string
  amount_tokens: string
  left_tokens: string
  spent_tokens: string
  priority: number
  expires_at: string | null
  reason: string
  actor: string
  actor_name: string | null
  created_at: string
  state: 'open' | 'spent' | 'expired' | 'voided'
  /** Null, as by whom: nobody voided it. */
  void_reason: string | null
  voided_by: string | null
  voided_by_name: string | null
  cursor: string
}

/** A user with what was used in the present period, and the limit that holds for the user alone (null: none). */
export interface UserLimitRow {
  user_id: string
  user_name: string
  role: string
  used_tokens: string
  limit_tokens: string | null
  limit_from: 'user' | 'default' | null
  state: string
  reason: string | null
  /** The ladder that the limit is measured against; null: the default one, and to a user. */
  policy: QuotaPolicy | null
  cursor: string
}

/** One notification and how its delivery went. */
export interface WebhookDeliveryRow {
  id: string
  endpoint_url: string
  type: string
  created_at: string
  state: string
  attempts: number
  last_status: number | null
  last_error: string | null
  delivered_at: string | null
  cursor: string
}

/** A period that has a statement; days are the organization's. */
export interface PeriodRow {
  first_day: string
  last_day: string
  state: 'open' | 'over' | 'frozen'
}

/** Figures of a statement's line. */
export interface StatementFigures {
  tokens_used: string
  input_tokens: string
  output_tokens: string
  cost_usd: string | null
  charge_usd: string | null
  message_count: string
  event_count: string
  unpriced_events: string
}

/** The statement of a period; see report_statement. */
export interface StatementRow extends PeriodRow {
  organization_id: string
  name: string
  domain: string
  plan_type: string
  time_zone: string
  closed_at: string | null
  /** Totals keep neither kinds of LLM tokens nor messages. */
  total: Omit<StatementFigures, 'input_tokens' | 'output_tokens' | 'message_count'>
  models: (StatementFigures & { model: string })[]
  users: (StatementFigures & { user_id: string; user_name: string | null })[]
  earlier: (StatementFigures & { period_start: string; model: string })[]
  later: (StatementFigures & { period_start: string })[]
  as_of: string
}

/** The reports by name: what each takes and gives. */
export interface Reports {
  report_me: { query: undefined; row: Me }
  report_organizations: { query: { search?: string; after?: string; limit: number }; row: OrganizationRow }
  report_usage_whole: {
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
  report_summary: {
    query: { organization_id: string; start: string; end: string; previous_start: string; user_id?: string }
    row: SummaryRow
  }
  report_sessions: {
    query: { organization_id: string; start: string; end: string; user_id?: string; after?: string; limit: number }
    row: SessionRow
  }
  report_quota: { query: { organization_id: string }; row: QuotaRow }
  report_decisions: { query: { organization_id: string; after?: string; limit: number }; row: DecisionRow }
  report_grants: { query: { organization_id: string; after?: string; limit: number }; row: GrantRow }
  report_user_limits: { query: { organization_id: string; after?: string; limit: number }; row: UserLimitRow }
  report_webhook_deliveries: {
    query: { organization_id: string; after?: string; limit: number }
    row: WebhookDeliveryRow
  }
  report_periods: { query: { organization_id: string }; row: PeriodRow }
  report_statement: { query: { organization_id: string; day?: string }; row: StatementRow }
}
export type ReportName = keyof Reports
