import type { EnforcementState, QuotaPolicy } from '../../contracts/index.ts'

/** Limit, usage and state of one user (`load_user_quota`). */
export interface UserQuotaRow {
  user_id: string
  time_zone: string
  period_start: string
  period_end: string
  limit_tokens: string | null
  limit_from: 'user' | 'default' | null
  policy: unknown
  used_tokens: string
  reserved_tokens: string
  cost_usd: string
  state: EnforcementState
  version: string
  reason: string | null
  decision_id: string | null
  as_of: string
}

/** The limit of an organization's users without an own one (`load_user_default`); version '0': never set. */
export interface UserDefaultRow {
  limit_tokens: string | null
  policy: unknown
  version: string
  updated_by: string | null
  updated_at: string | null
}

/** Limits of users and the organization's default for them. */
export type UserQuotaFunctions = {
  enroll_users: {
    args: { for_organization: string; at?: string; max_rows?: number }
    row: { done: boolean; more: boolean }
  }
  set_user_quota: {
    args: {
      change: {
        organization_id: string
        user_id: string
        limit: number | null
        policy?: QuotaPolicy | null | undefined // absent: as it is; null: that of the default for users
        follow_default?: boolean // absent: the limit is the user's own
        actor: string
      }
    }
    row: { limit_tokens: string | null; version: string }
  }
  load_user_quota: { args: { for_organization: string; for_user: string }; row: UserQuotaRow }
  set_user_default: {
    args: {
      change: {
        organization_id: string
        limit: number | null
        policy?: QuotaPolicy | null | undefined // absent: as it is; null: the default ladder
        version?: number | undefined // that the change was made from; absent: whichever
        actor: string
      }
    }
    row: UserDefaultRow & { refusal: 'version' | null }
  }
  load_user_default: { args: { for_organization: string }; row: UserDefaultRow }
}
