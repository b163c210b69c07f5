/** What to show of the audit trail; an absent field is no condition. */
export interface AuditQuery {
  organization_id?: string | undefined
  action?: string | undefined
  actor?: string | undefined
  target?: string | undefined
  /** Only what is older than the entry with this id. */
  before?: string | undefined
  max_rows: number
}

/** One administrative act. */
export interface AuditRow {
  id: string
  at: string
  actor: string
  action: string
  target: string
  organization_id: string | null
  details: Record<string, unknown>
}

/** The audit trail; functions that do an administrative act write to it with `tollgate.record_audit`. */
export type AuditFunctions = {
  list_audit: { args: { query: AuditQuery }; row: AuditRow }
}
