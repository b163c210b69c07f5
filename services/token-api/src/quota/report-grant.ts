import type { grantReport } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import type { z } from 'zod'

/** A grant as the API shows it. */
export function reportGrant(row: RpcRow<'list_grants'>): z.input<typeof grantReport> {
  return {
    id: row.id,
    amount: Number(row.amount_tokens),
    left: row.left_tokens === null ? null : Number(row.left_tokens),
    priority: row.priority,
    expires_at: row.expires_at,
    reason: row.reason,
    actor: row.actor,
    created_at: row.created_at,
    closed_at: row.closed_at,
    voided_at: row.voided_at,
    voided_by: row.voided_by,
    void_reason: row.void_reason,
  }
}
