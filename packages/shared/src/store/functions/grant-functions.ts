/** A grant as it was given. */
interface GrantRow {
  id: string
  amount_tokens: string
  priority: number
  expires_at: string | null
  reason: string
  actor: string
  created_at: string
}

/** How a grant ended; all null: it still counts. */
interface GrantEndRow {
  closed_at: string | null
  voided_at: string | null
  voided_by: string | null
  void_reason: string | null
}

/** Functions about top-ups of a quota. */
export type GrantFunctions = {
  settle_grants: { args: { for_organization: string; at?: string }; row: { settled: number } }
  create_grant: {
    args: {
      grant_order: {
        organization_id: string
        amount: number
        priority?: number | undefined
        expires_at?: string | undefined
        reason: string
        idempotency_key: string
        actor: string
        at?: string
      }
    }
    row:
      | (GrantFunctions['list_grants']['row'] & {
          refusal: null
          created: boolean
          matches: boolean
          organization_id: string
        })
      | { refusal: 'over' }
  }
  list_grants: {
    args: { for_organization: string; at?: string }
    row: GrantRow & GrantEndRow & { left_tokens: string | null }
  }
  void_grant: {
    args: { grant_void: { organization_id: string; grant_id: string; reason: string; actor: string; at?: string } }
    row: GrantRow & GrantEndRow & { outcome: 'voided' | 'repeated' | 'over'; spent_tokens: string }
  }
}
